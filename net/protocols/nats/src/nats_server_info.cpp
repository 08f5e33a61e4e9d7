#include <troupe/nats/nats_server_info.hpp>

#include <nlohmann/json.hpp>

namespace troupe {

namespace {

using nlohmann::json;

constexpr std::size_t most_urls = 256;

struct wrong_kind {
  const char* name;
};

void read(const json& from, const char* name, std::string& into) {
  if (const auto found = from.find(name); found != from.end()) {
    if (!found->is_string())
      throw wrong_kind{name};
    into = found->get_ref<const std::string&>();
  }
}

void read(const json& from, const char* name, bool& into) {
  if (const auto found = from.find(name); found != from.end()) {
    if (!found->is_boolean())
      throw wrong_kind{name};
    into = found->get<bool>();
  }
}

template <class Number>
void read_number(const json& from, const char* name, Number& into) {
  if (const auto found = from.find(name); found != from.end()) {
    if (!found->is_number_unsigned())
      throw wrong_kind{name};
    into = static_cast<Number>(found->get<std::uint64_t>());
  }
}

void read(const json& from, const char* name, std::vector<std::string>& into) {
  const auto found = from.find(name);
  if (found == from.end() || found->is_null())
    return;
  if (!found->is_array())
    throw wrong_kind{name};
  for (const auto& url : *found) {
    if (!url.is_string())
      throw wrong_kind{name};
    if (into.size() < most_urls)
      into.push_back(url.get_ref<const std::string&>());
  }
}

} // namespace

outcome<nats_server_info> nats_server_info::parse(std::string_view text) {
  const auto all = json::parse(text, nullptr, false);
  if (!all.is_object())
    return failure{errc::malformed_input, "INFO without a JSON object"};
  nats_server_info i;
  try {
    read(all, "server_id", i.server_id);
    read(all, "server_name", i.server_name);
    read(all, "version", i.version);
    read(all, "cluster", i.cluster);
    read(all, "nonce", i.nonce);
    read(all, "connect_urls", i.connect_urls);
    read_number(all, "client_id", i.client_id);
    read_number(all, "max_payload", i.max_payload);
    read(all, "headers", i.headers);
    read(all, "jetstream", i.jetstream);
    read(all, "auth_required", i.auth_required);
    read(all, "tls_required", i.tls_required);
    read(all, "tls_available", i.tls_available);
    read(all, "ldm", i.lame_duck);
  } catch (const wrong_kind& e) {
    return failure{errc::malformed_input, std::string{"INFO: "} + e.name + " is of another kind"};
  }
  return i;
}

} // namespace troupe
