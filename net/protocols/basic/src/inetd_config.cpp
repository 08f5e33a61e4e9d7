#include <troupe/basic/inetd_config.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>

namespace troupe {

namespace {

constexpr std::size_t least_fields = 6;
constexpr std::array<std::string_view, 5> internals{"echo", "discard", "chargen", "daytime",
                                                    "time"};

// To the system it means "no change": the program would go on as who we are.
constexpr auto no_user = static_cast<uid_t>(-1);
constexpr auto no_group = static_cast<gid_t>(-1);

std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields;
  constexpr std::string_view space = " \t\r\v\f";
  line = line.substr(0, line.find('#'));
  for (std::size_t begin; (begin = line.find_first_not_of(space)) != std::string_view::npos;) {
    const auto end = std::min(line.find_first_of(space, begin), line.size());
    fields.emplace_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
  return fields;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

// Calls one of the system's functions that want room for what they find, with enough of it.
template <class T, class F>
std::optional<T> look_up(F&& fn) {
  std::vector<char> room(4096);
  for (;;) {
    T entry{};
    T* found = nullptr;
    const int error = fn(entry, room, found);
    if (error == ERANGE && room.size() < 1024 * 1024) {
      room.resize(room.size() * 4);
      continue;
    }
    return found != nullptr ? std::optional<T>{entry} : std::nullopt;
  }
}

std::optional<std::uint16_t> port_of(const std::string& service, const std::string& protocol) {
  const auto entry = look_up<servent>([&](servent& e, std::vector<char>& room, servent*& found) {
    return ::getservbyname_r(service.c_str(), protocol.c_str(), &e, room.data(), room.size(),
                             &found);
  });
  if (!entry)
    return std::nullopt;
  return ntohs(static_cast<std::uint16_t>(entry->s_port));
}

// Sets who it is; returns what is wrong.
std::string read_user(const std::string& field, inetd_service& s) {
  const auto cut = field.find_first_of(".:");
  const auto user = field.substr(0, cut);
  std::optional<gid_t> primary;
  if (const auto id = number<uid_t>(user)) {
    if (*id == no_user)
      return "Unknown user: " + user;
    s.uid = *id;
    if (const auto entry = look_up<passwd>([&](passwd& e, std::vector<char>& room, passwd*& found) {
          return ::getpwuid_r(*id, &e, room.data(), room.size(), &found);
        }))
      primary = entry->pw_gid;
  } else {
    const auto entry = look_up<passwd>([&](passwd& e, std::vector<char>& room, passwd*& found) {
      return ::getpwnam_r(user.c_str(), &e, room.data(), room.size(), &found);
    });
    if (!entry)
      return "Unknown user: " + user;
    s.uid = entry->pw_uid;
    primary = entry->pw_gid;
  }
  if (cut == std::string::npos) {
    s.gid = primary.value_or(static_cast<gid_t>(s.uid));
    return {};
  }
  const auto name = field.substr(cut + 1);
  if (const auto id = number<gid_t>(name)) {
    if (*id == no_group)
      return "Unknown group: " + name;
    s.gid = *id;
    return {};
  }
  const auto entry = look_up<group>([&](group& e, std::vector<char>& room, group*& found) {
    return ::getgrnam_r(name.c_str(), &e, room.data(), room.size(), &found);
  });
  if (!entry)
    return "Unknown group: " + name;
  s.gid = entry->gr_gid;
  return {};
}

// Sets what is served; returns what is wrong.
std::string read_line(const std::vector<std::string>& f, bool internal, inetd_service& s) {
  const auto &service = f[0], &type = f[1], &protocol = f[2], &wait = f[3];
  if (service.starts_with("rpc/") || protocol.starts_with("rpc/"))
    return "RPC services are not supported: " + service;
  s.datagrams = protocol == "udp";
  if (!(protocol == "tcp" && type == "stream") && !(protocol == "udp" && type == "dgram"))
    return "neither stream and tcp nor dgram and udp: " + type + ' ' + protocol;
  if (const auto port = number<std::uint32_t>(service)) {
    if (*port > 65'535)
      return "no port: " + service;
    s.name = "unknown";
    s.port = static_cast<std::uint16_t>(*port);
  } else {
    const auto known = port_of(service, protocol);
    if (!known)
      return "Unknown service: " + service + " (" + protocol + ')';
    s.name = service;
    s.port = *known;
  }
  const auto cut = wait.find_first_of(".:");
  const auto how = wait.substr(0, cut);
  if (how != "wait" && how != "nowait")
    return "neither wait nor nowait: " + wait;
  if (cut != std::string::npos) {
    const auto most = number<std::uint32_t>(std::string_view{wait}.substr(cut + 1));
    if (!most || *most == 0)
      return "no number of starts: " + wait;
    s.max_per_minute = *most;
  }
  if (auto wrong = read_user(f[4], s); !wrong.empty())
    return wrong;
  if (f[5] == "internal") {
    if (!internal)
      return "internal services are turned off: " + service;
    s.internal = f.size() > least_fields ? f[6] : s.name;
    if (std::find(internals.begin(), internals.end(), s.internal) == internals.end())
      return "Unknown internal service: " + s.internal;
    return {};
  }
  if (s.datagrams)
    return "programs that take datagrams are not supported: " + service;
  if (how == "wait")
    return "programs that accept connections themselves are not supported: " + service;
  s.program = f[5];
  s.args.assign(f.begin() + least_fields, f.end());
  if (s.args.empty())
    s.args.push_back(s.program);
  return {};
}

} // namespace

inetd_config inetd_config::parse(std::string_view text, bool internal) {
  inetd_config config;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto shown = text.substr(0, end);
    const auto fields = fields_of(shown);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (fields.empty())
      continue;
    if (fields.size() < least_fields)
      throw inetd_syntax_error(line, "Invalid line: '" + std::string{shown} + '\'');
    inetd_service s;
    if (auto wrong = read_line(fields, internal, s); wrong.empty())
      config.services.push_back(std::move(s));
    else
      config.skipped.push_back("line " + std::to_string(line) + ": " + wrong);
  }
  return config;
}

} // namespace troupe
