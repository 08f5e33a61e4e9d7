#include <troupe/net/endpoint_string.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include <sys/socket.h>

#include <troupe/net/adopted_stream_endpoint.hpp>
#include <troupe/net/ssl_endpoint.hpp>
#include <troupe/net/stdio_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/net/unix_endpoint.hpp>

#include "endpoint_arguments.hpp"
#include "passed_sockets.hpp"
#include "proxy_door.hpp"
#include "socket_address.hpp"

namespace troupe {

namespace {

using detail::endpoint_arguments;

constexpr std::uint32_t max_backlog = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t max_seconds = 366 * 24 * 3600;

constexpr std::pair<std::string_view, int> domains[] = {
  {"INET", AF_INET}, {"INET6", AF_INET6}, {"UNIX", AF_UNIX}};

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names)
    all += (all.empty() ? "" : ", ") + name;
  return all;
}

// -- servers --------------------------------------------------------------------------------------

// "10.0.0.0/8,192.0.2.7"
void behind_proxies(const endpoint_arguments& a, proxy_protocol_options& o) {
  if (!a.has("proxies")) {
    if (a.has("others"))
      a.refuse("others", "for those who are none of the \"proxies\", which are to be named");
    return;
  }
  for (std::string_view rest = a.text("proxies"); !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    o.proxies.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  try {
    detail::proxy_rules{o};
  } catch (const std::invalid_argument&) {
    a.refuse("proxies", "addresses in numbers, networks and \"unix\", with commas between them");
  }
  if (!a.has("others"))
    return;
  if (a.text("others") == "direct")
    o.others = unnamed_peers::direct;
  else if (a.text("others") != "refused")
    a.refuse("others", "refused or direct");
}

listen_options listening(const endpoint_arguments& a, bool v6) {
  listen_options o;
  behind_proxies(a, o.proxy_protocol);
  if (v6)
    o.interface = "::1";
  if (a.has("interface")) {
    o.interface = a.text("interface");
    const auto ip = detail::parse_ip(o.interface, 0);
    if (!ip || (v6 && ip->ss_family != AF_INET6))
      a.refuse("interface", std::string("an address in numbers") + (v6 ? " of IPv6" : ""));
  }
  if (a.has("backlog"))
    o.backlog = static_cast<int>(a.number("backlog", 1, max_backlog));
  return o;
}

std::unique_ptr<server_endpoint> tcp_server(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"port", "interface", "backlog"}, {"proxies", "others"}};
  const auto port = a.port();
  return std::make_unique<tcp_server_endpoint>(rt, port, listening(a, d.kind == "tcp6"));
}

std::unique_ptr<server_endpoint> ssl_server(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{
    d, {"port", "privateKey", "certKey", "interface", "backlog"}, {"proxies", "others"}};
  const auto port = a.port();
  auto options = listening(a, false);
  const auto& key = a.text("privateKey");
  tls_server_options tls;
  tls.identities.push_back({a.has("certKey") ? a.text("certKey") : key, key, {}});
  return std::make_unique<ssl_server_endpoint>(rt, port, tls_server_context{tls},
                                               std::move(options));
}

std::unique_ptr<server_endpoint> unix_server(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"address", "mode", "backlog", "lockfile"}, {"proxies", "others"}};
  unix_listen_options o;
  const auto& path = a.text("address");
  if (a.has("mode"))
    o.mode = a.number("mode", 0, 0777, 8);
  if (a.has("backlog"))
    o.backlog = static_cast<int>(a.number("backlog", 1, max_backlog));
  if (a.has("lockfile"))
    o.lock_file = a.flag("lockfile");
  behind_proxies(a, o.proxy_protocol);
  return std::make_unique<unix_server_endpoint>(rt, path, o);
}

std::unique_ptr<server_endpoint> stdio_server(runtime& rt, const endpoint_description& d) {
  for (const auto& a : d.arguments)
    if (a.keyword || !a.value.empty() || d.arguments.size() > 1) // "stdio:" has an empty one
      throw endpoint_syntax_error(d.text, a.position, "stdio takes no arguments");
  return std::make_unique<stdio_endpoint>(rt);
}

std::unique_ptr<server_endpoint> adopted_server(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"fileno"}, {"proxies", "others"}};
  listen_options o;
  behind_proxies(a, o.proxy_protocol);
  return std::make_unique<adopted_stream_server_endpoint>(
    rt, static_cast<int>(a.number("fileno", 0, max_backlog)), o);
}

std::unique_ptr<server_endpoint> systemd_server(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"domain", "index", "name"}, {"proxies", "others"}};
  listen_options o;
  behind_proxies(a, o.proxy_protocol);
  const auto passed = detail::passed_sockets::of_this_process();
  const auto& domain = a.text("domain");
  const auto family = std::find_if(std::begin(domains), std::end(domains),
                                   [&](const auto& known) { return known.first == domain; });
  if (family == std::end(domains))
    a.refuse("domain", "INET, INET6 or UNIX");
  if (a.has("index") == a.has("name"))
    throw endpoint_syntax_error(d.text, d.text.size(),
                                "systemd needs either \"index\" or \"name\"");
  const std::string sockets =
    "systemd has passed "
    + (passed.size() == 0 ? std::string{"none to this process"}
                          : std::to_string(passed.size()) + ": " + joined(passed.names()));
  int fd;
  if (a.has("index")) {
    const auto index = a.number("index", 0, max_backlog);
    if (index >= passed.size())
      a.refuse("index", "the number of a socket (" + sockets + ")");
    fd = detail::passed_sockets::first + static_cast<int>(index);
  } else {
    const auto named = passed.named(a.text("name"));
    if (!named)
      a.refuse("name", "that of a socket (" + sockets + ")");
    fd = *named;
  }
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length) != 0)
    throw endpoint_syntax_error(d.text, d.text.size(),
                                "descriptor " + std::to_string(fd) + " is no socket");
  if (local.ss_family != family->second)
    a.refuse("domain", "that of descriptor " + std::to_string(fd));
  return std::make_unique<adopted_stream_server_endpoint>(rt, fd, o);
}

// -- clients --------------------------------------------------------------------------------------

duration timeout_of(const endpoint_arguments& a) {
  return std::chrono::seconds(a.has("timeout") ? a.number("timeout", 1, max_seconds) : 30);
}

connect_options connecting_of(const endpoint_arguments& a) {
  connect_options o;
  o.timeout = timeout_of(a);
  if (a.has("bindAddress")) {
    o.bind_address = a.text("bindAddress");
    if (!detail::parse_ip(o.bind_address, 0))
      a.refuse("bindAddress", "an address in numbers");
  }
  return o;
}

std::unique_ptr<client_endpoint> tcp_client(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"host", "port", "timeout", "bindAddress"}};
  const auto& host = a.text("host");
  const auto ip = detail::parse_ip(host, 0);
  if (d.kind == "tcp6" && ip && ip->ss_family != AF_INET6)
    a.refuse("host", "a name or an address of IPv6");
  const auto port = a.port();
  auto o = connecting_of(a);
  if (d.kind == "tcp6" && o.bind_address.empty())
    o.bind_address = "::"; // leaves out what is not of its family
  return std::make_unique<tcp_client_endpoint>(rt, host, port, o);
}

std::unique_ptr<client_endpoint> ssl_client(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{
    d,
    {"host", "port", "timeout", "bindAddress", "privateKey", "certKey", "caCertsFile", "hostname"}};
  const auto& host = a.text("host");
  const auto port = a.port();
  auto options = connecting_of(a);
  tls_client_options tls;
  if (a.has("caCertsFile"))
    tls.trusted_file = a.text("caCertsFile");
  if (a.has("hostname"))
    tls.server_name = a.text("hostname");
  if (a.has("privateKey"))
    tls.identity.key_file = a.text("privateKey");
  if (a.has("certKey"))
    tls.identity.certificate_file = a.text("certKey");
  else
    tls.identity.certificate_file = std::exchange(tls.identity.key_file, {});
  return std::make_unique<ssl_client_endpoint>(rt, host, port, tls_client_context{tls},
                                               std::move(options));
}

std::unique_ptr<client_endpoint> unix_client(runtime& rt, const endpoint_description& d) {
  const endpoint_arguments a{d, {"path", "timeout", "lockfile", "checkPID"}};
  unix_connect_options o;
  const auto& path = a.text("path");
  o.timeout = timeout_of(a);
  for (const auto* name : {"lockfile", "checkPID"})
    if (a.has(name) && a.flag(name))
      o.check_lock = true;
  return std::make_unique<unix_client_endpoint>(rt, path, o);
}

// -- kinds ----------------------------------------------------------------------------------------

template <class Endpoint>
struct kind {
  std::string_view name;
  std::unique_ptr<Endpoint> (*make)(runtime&, const endpoint_description&);
};

constexpr kind<server_endpoint> servers[] = {
  {"tcp", tcp_server},         {"tcp6", tcp_server},   {"ssl", ssl_server},
  {"tls", ssl_server},         {"unix", unix_server},  {"stdio", stdio_server},
  {"systemd", systemd_server}, {"fd", adopted_server},
};

constexpr kind<client_endpoint> clients[] = {
  {"tcp", tcp_client}, {"tcp6", tcp_client},  {"ssl", ssl_client},
  {"tls", ssl_client}, {"unix", unix_client},
};

template <class Endpoint, std::size_t N>
std::unique_ptr<Endpoint> make(const kind<Endpoint> (&kinds)[N], const char* what, runtime& rt,
                               const endpoint_description& d) {
  std::string known;
  for (const auto& k : kinds) {
    if (k.name == d.kind)
      return k.make(rt, d);
    known += (known.empty() ? "" : ", ") + std::string(k.name);
  }
  throw endpoint_syntax_error(d.text, 0,
                              "unknown kind of " + std::string(what) + " endpoint \"" + d.kind
                                + "\"; there are " + known);
}

} // namespace

std::unique_ptr<server_endpoint> server_from_string(runtime& rt, std::string_view description) {
  constexpr std::string_view behind = "haproxy:";
  if (!description.starts_with(behind))
    return make(servers, "server", rt, endpoint_description::parse(description));
  const auto d = endpoint_description::parse(description.substr(behind.size()));
  const bool named = std::any_of(d.arguments.begin(), d.arguments.end(), [](const auto& a) {
    return a.keyword && *a.keyword == "proxies";
  });
  if (!named)
    throw endpoint_syntax_error(d.text, d.text.size(),
                                "haproxy needs \"proxies\": from whom a header is believed");
  return make(servers, "server", rt, d);
}

std::unique_ptr<client_endpoint> client_from_string(runtime& rt, std::string_view description) {
  auto d = endpoint_description::parse(description);
  for (auto& c : d.kind)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return make(clients, "client", rt, d);
}

} // namespace troupe
