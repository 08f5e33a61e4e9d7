#include "jetstream_json.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/detail/base64.hpp>
#include <troupe/runtime/logger.hpp>

namespace troupe::detail::jetstream_json {

namespace {

using nlohmann::json;

constexpr const char* storages[] = {"file", "memory"};
constexpr const char* retentions[] = {"limits", "interest", "workqueue"};
constexpr const char* discards[] = {"old", "new"};
constexpr const char* starts[] = {"all", "last", "new", "by_start_sequence", "last_per_subject"};

template <class E, std::size_t N>
E value_of(const char* const (&names)[N], const std::string& name) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i])
      return static_cast<E>(i);
  return E{};
}

// A limit as the server has it: -1 for none.
std::int64_t limit(std::uint64_t n) noexcept {
  return n == 0 ? -1 : static_cast<std::int64_t>(std::min<std::uint64_t>(n, INT64_MAX));
}

std::string dumped(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

failure malformed() {
  return {errc::malformed_input, "an answer of JetStream"};
}

nats_errc code_of(std::uint64_t number) noexcept {
  switch (number) {
  case 10059:
    return nats_errc::stream_not_found;
  case 10014:
    return nats_errc::consumer_not_found;
  case 10037:
    return nats_errc::message_not_found;
  case 10071:
  case 10164:
    return nats_errc::wrong_last_sequence;
  case 10158:
    return nats_errc::id_in_process;
  case 10058:
  case 10065:
    return nats_errc::stream_exists;
  case 10008:
  case 10039:
  case 10076:
    return nats_errc::jetstream_unavailable;
  default:
    return nats_errc::jetstream_error;
  }
}

// Members of other kinds than they should be read as if they were not there.
std::uint64_t number(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string text(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool flag(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_boolean() && found->get<bool>();
}

const json& object(const json& from, const char* name) {
  static const json none = json::object();
  const auto found = from.find(name);
  return found != from.end() && found->is_object() ? *found : none;
}

duration nanoseconds(const json& from, const char* name) {
  return duration{
    static_cast<duration::rep>(std::min<std::uint64_t>(number(from, name), INT64_MAX))};
}

// Reads an answer with `fn(json)`, unless it is an error.
template <class T, class F>
outcome<T> read(std::string_view answer, F fn) {
  const auto all = json::parse(answer, nullptr, false);
  if (!all.is_object())
    return malformed();
  if (const auto& e = object(all, "error"); !e.empty())
    return failure{make_error_code(code_of(number(e, "err_code"))),
                   escape_text(text(e, "description"), 512) + " ("
                     + std::to_string(number(e, "err_code")) + ')'};
  return fn(all);
}

} // namespace

std::string quoted(std::string_view of) {
  return dumped(json(std::string{of}));
}

std::string text_of(const stream_config& c) {
  json j{{"name", c.name},
         {"subjects", c.subjects},
         {"storage", storages[static_cast<std::size_t>(c.storage)]},
         {"retention", retentions[static_cast<std::size_t>(c.retention)]},
         {"discard", discards[static_cast<std::size_t>(c.discard)]},
         {"max_consumers", -1},
         {"max_msgs", limit(c.max_messages)},
         {"max_bytes", limit(c.max_bytes)},
         {"max_msgs_per_subject", limit(c.max_messages_per_subject)},
         {"max_msg_size", limit(c.max_message_size)},
         {"max_age", c.max_age.count()},
         {"num_replicas", c.replicas},
         {"duplicate_window", c.duplicate_window.count()},
         {"allow_direct", c.allow_direct}};
  if (!c.republish_to.empty())
    j["republish"] = {{"src", c.republish_from}, {"dest", c.republish_to}};
  return dumped(j);
}

std::string text_of(std::string_view stream, const consumer_config& c) {
  json j{{"deliver_policy", starts[static_cast<std::size_t>(c.start)]},
         {"ack_policy", c.acknowledged ? "explicit" : "none"},
         {"replay_policy", "instant"},
         {"max_deliver", limit(c.max_deliver)}};
  if (!c.name.empty())
    j["durable_name"] = c.name;
  if (!c.filter.empty())
    j["filter_subject"] = c.filter;
  if (c.start == consumer_start::sequence)
    j["opt_start_seq"] = c.start_sequence;
  if (c.acknowledged) {
    j["ack_wait"] = c.ack_wait.count();
    j["max_ack_pending"] = limit(c.max_ack_pending);
  }
  if (c.inactive_threshold > duration::zero())
    j["inactive_threshold"] = c.inactive_threshold.count();
  return dumped({{"stream_name", std::string{stream}}, {"config", std::move(j)}});
}

std::string text_of(const fetch_options& o) {
  json j{{"batch", o.batch}};
  if (o.max_bytes != 0)
    j["max_bytes"] = o.max_bytes;
  if (o.expires > duration::zero())
    j["expires"] = o.expires.count();
  else
    j["no_wait"] = true;
  return dumped(j);
}

outcome<stream_info> stream_of(std::string_view answer) {
  return read<stream_info>(answer, [](const json& all) -> outcome<stream_info> {
    const auto& c = object(all, "config");
    const auto& s = object(all, "state");
    stream_info i;
    i.config.name = text(c, "name");
    if (i.config.name.empty())
      return malformed();
    if (const auto subjects = c.find("subjects"); subjects != c.end() && subjects->is_array())
      for (const auto& subject : *subjects)
        if (subject.is_string())
          i.config.subjects.push_back(subject.get<std::string>());
    i.config.storage = value_of<stream_storage>(storages, text(c, "storage"));
    i.config.retention = value_of<stream_retention>(retentions, text(c, "retention"));
    i.config.discard = value_of<stream_discard>(discards, text(c, "discard"));
    i.config.max_messages = number(c, "max_msgs"); // -1 is no unsigned number, and so 0
    i.config.max_bytes = number(c, "max_bytes");
    i.config.max_messages_per_subject = number(c, "max_msgs_per_subject");
    i.config.max_message_size = static_cast<std::uint32_t>(number(c, "max_msg_size"));
    i.config.max_age = nanoseconds(c, "max_age");
    i.config.replicas = number(c, "num_replicas");
    i.config.duplicate_window = nanoseconds(c, "duplicate_window");
    i.config.allow_direct = flag(c, "allow_direct");
    i.config.republish_from = text(object(c, "republish"), "src");
    i.config.republish_to = text(object(c, "republish"), "dest");
    i.created = text(all, "created");
    if (i.created.starts_with("0001-")) // says a server that makes it for another just now
      return failure{make_error_code(nats_errc::jetstream_unavailable),
                     "the stream " + i.config.name + " is just being made"};
    i.cluster = text(object(all, "cluster"), "name");
    i.leader = text(object(all, "cluster"), "leader");
    i.messages = number(s, "messages");
    i.bytes = number(s, "bytes");
    i.first_sequence = number(s, "first_seq");
    i.last_sequence = number(s, "last_seq");
    i.consumers = number(s, "consumer_count");
    return i;
  });
}

outcome<consumer_info> consumer_of(std::string_view answer) {
  return read<consumer_info>(answer, [](const json& all) -> outcome<consumer_info> {
    consumer_info i{.stream = text(all, "stream_name"),
                    .name = text(all, "name"),
                    .delivered_sequence = number(object(all, "delivered"), "stream_seq"),
                    .pending = number(all, "num_pending"),
                    .ack_pending = number(all, "num_ack_pending")};
    if (i.name.empty())
      return malformed();
    return i;
  });
}

// What a server writes, such as {"stream":"rooms", "seq":7,"duplicate": true}. Nearly all acknowledgements are of that kind, and
// to make a document of each takes more than all else that an append does here.
static std::optional<publish_ack> plain_ack(std::string_view answer) {
  const auto take = [&](std::string_view text) {
    const bool there = answer.starts_with(text);
    answer.remove_prefix(there ? text.size() : 0);
    return there;
  };
  publish_ack a;
  if (!take(R"({"stream":")"))
    return std::nullopt;
  const auto name = answer.substr(0, answer.find('"'));
  const bool plain =
    std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f && c != '\\'; });
  if (name.empty() || !plain || name.size() == answer.size())
    return std::nullopt;
  answer.remove_prefix(name.size());
  if (!take(R"(", "seq":)") && !take(R"(","seq":)"))
    return std::nullopt;
  const auto [end, error] =
    std::from_chars(answer.data(), answer.data() + answer.size(), a.sequence);
  if (error != std::errc{} || answer.front() == '0')
    return std::nullopt;
  answer.remove_prefix(static_cast<std::size_t>(end - answer.data()));
  a.duplicate = take(R"(,"duplicate": true)") || take(R"(,"duplicate":true)");
  if (answer != "}")
    return std::nullopt;
  a.stream = name;
  return a;
}

outcome<publish_ack> ack_of(std::string_view answer) {
  if (auto plain = plain_ack(answer))
    return *std::move(plain);
  return read<publish_ack>(answer, [](const json& all) -> outcome<publish_ack> {
    publish_ack a{text(all, "stream"), number(all, "seq"), flag(all, "duplicate")};
    if (!a.stream.empty() && a.sequence == 0 && a.duplicate) // say servers from 2.10.14 to 2.10.29
      return failure{make_error_code(nats_errc::id_in_process)};
    if (a.stream.empty() || a.sequence == 0)
      return malformed(); // somebody else answers at that subject
    return a;
  });
}

outcome<stored_message> message_of(std::string_view answer) {
  return read<stored_message>(answer, [](const json& all) -> outcome<stored_message> {
    const auto& m = object(all, "message");
    stored_message s{.subject = text(m, "subject"),
                     .sequence = number(m, "seq"),
                     .time = text(m, "time"),
                     .headers = {},
                     .payload = {}};
    auto payload = detail::from_base64(text(m, "data"));
    const auto block = detail::from_base64(text(m, "hdrs"));
    if (s.sequence == 0 || !payload || !block)
      return malformed();
    s.payload = *std::move(payload);
    if (!block->empty()) {
      auto headers = nats_headers::parse(*block);
      if (!headers)
        return headers.error();
      s.headers = *std::move(headers);
    }
    return s;
  });
}

outcome<std::uint64_t> purged_of(std::string_view answer) {
  return read<std::uint64_t>(
    answer, [](const json& all) -> outcome<std::uint64_t> { return number(all, "purged"); });
}

outcome<void> success_of(std::string_view answer) {
  return read<void>(answer, [](const json& all) -> outcome<void> {
    if (!flag(all, "success"))
      return malformed();
    return {};
  });
}

bool read_ack_subject(std::string_view reply, jetstream_message& into) {
  std::array<std::string_view, 12> tokens;
  std::size_t count = 0;
  for (; count < tokens.size() && !reply.empty(); ++count) {
    const auto end = reply.find('.');
    tokens[count] = reply.substr(0, end);
    reply.remove_prefix(end == std::string_view::npos ? reply.size() : end + 1);
  }
  // $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's>.<time>.<pending>; newer servers put a domain and the
  // account behind ACK, and something random at the end.
  if (count < 9 || count == 10 || tokens[0] != "$JS" || tokens[1] != "ACK")
    return false;
  const std::size_t at = count >= 11 ? 4 : 2;
  if (count < at + 7)
    return false;
  const auto read = [&](std::size_t i, auto& number) {
    const auto t = tokens[i];
    const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), number);
    return error == std::errc{} && end == t.data() + t.size();
  };
  into.stream = tokens[at];
  into.consumer = tokens[at + 1];
  return read(at + 2, into.deliveries) && read(at + 3, into.sequence)
         && read(at + 4, into.consumer_sequence) && read(at + 5, into.time)
         && read(at + 6, into.pending);
}

} // namespace troupe::detail::jetstream_json
