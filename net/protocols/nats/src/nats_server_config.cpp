// What a server that we start is told.

#include <algorithm>
#include <stdexcept>

#include <troupe/nats/nats_server_child.hpp>
#include <troupe/nats/nats_subject.hpp>

namespace troupe {

namespace {

std::string quoted(const std::string& text, const char* option) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      throw std::invalid_argument(std::string{"nats_server_options::"} + option
                                  + ": a control character");
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + '"';
}

std::string milliseconds(duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  if (ms <= 0)
    throw std::invalid_argument("nats_server_options: a time must be a millisecond or more");
  return quoted(std::to_string(ms) + "ms", "");
}

void add_permissions(std::string& out, const char* verb, const std::vector<std::string>& subjects) {
  if (subjects.empty())
    return;
  out += std::string{" "} + verb + ": [";
  for (const auto& s : subjects) {
    if (!valid_nats_pattern(s))
      throw std::invalid_argument("nats_server_options::users: \"" + s + "\" cannot be a subject");
    out += (out.ends_with('[') ? "" : ", ") + quoted(s, "users");
  }
  out += ']';
}

std::string user_of(const nats_server_user& u) {
  std::string out = "{";
  if (!u.nkey.empty())
    out += "nkey: " + quoted(u.nkey, "users");
  else if (u.name.empty())
    throw std::invalid_argument("nats_server_options::users: one has neither a name nor a key");
  else
    out += "user: " + quoted(u.name, "users");
  if (u.nkey.empty() && !u.password.empty())
    out += ", password: " + quoted(u.password, "users");
  if (!u.publish.empty() || !u.subscribe.empty()) {
    out += ", permissions: {";
    add_permissions(out, "publish", u.publish);
    if (!u.publish.empty() && !u.subscribe.empty())
      out += ',';
    add_permissions(out, "subscribe", u.subscribe);
    out += " }";
  }
  return out + '}';
}

} // namespace

std::string nats_server_config(const nats_server_options& o, std::uint16_t port) {
  std::string out = "host: " + quoted(o.host, "host") + '\n';
  out += "port: " + (port == 0 ? "-1" : std::to_string(port)) + '\n';
  out += "http: \"127.0.0.1:-1\"\n";
  out += "logtime: false\n";
  if (!o.name.empty())
    out += "server_name: " + quoted(o.name, "name") + '\n';
  out += "max_payload: " + std::to_string(o.max_payload) + '\n';
  out += "write_deadline: " + milliseconds(o.write_deadline) + '\n';
  out += "ping_interval: " + milliseconds(o.ping_interval) + '\n';
  if (!o.store_directory.empty())
    out += "jetstream { store_dir: " + quoted(o.store_directory, "store_directory")
           + ", max_file_store: " + std::to_string(o.max_store) + " }\n";
  if (!o.token.empty() && !o.users.empty())
    throw std::invalid_argument("nats_server_options: either users or a token");
  if (!o.token.empty())
    out += "authorization { token: " + quoted(o.token, "token") + " }\n";
  if (!o.users.empty()) {
    out += "authorization { users: [\n";
    for (const auto& u : o.users)
      out += "  " + user_of(u) + '\n';
    out += "] }\n";
  }
  if (o.tls) {
    out += "tls { cert_file: " + quoted(o.tls->certificate_file, "tls")
           + ", key_file: " + quoted(o.tls->key_file, "tls");
    if (!o.tls->trusted_file.empty())
      out += ", ca_file: " + quoted(o.tls->trusted_file, "tls")
             + (o.tls->map_users ? ", verify_and_map: true" : ", verify: true");
    else if (o.tls->map_users)
      throw std::invalid_argument("nats_server_options::tls: map_users needs a trusted_file");
    out += " }\n";
  }
  return out + o.more + '\n';
}

} // namespace troupe
