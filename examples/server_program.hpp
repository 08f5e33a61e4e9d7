#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include <troupe/manhole/manhole.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/metrics_page.hpp>
#include <troupe/runtime/logger.hpp>

#include "command_line.hpp"

namespace server_program {

/// Lets the process have as many descriptors as it is allowed to ask for: each connection is one.
inline void allow_many_connections() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// Whether a server speaks TLS: no; yes, with `--certificate`; or if it is asked to, with `--tls-cert`.
struct tls_use {
  tls_use(bool yes) : required(yes) {}

  /// \param alpn  the protocols that it speaks over TLS, the best first; none: clients are not asked
  static tls_use if_asked(std::vector<std::string> alpn = {}) {
    tls_use use{false};
    use.optional = true;
    use.alpn = std::move(alpn);
    return use;
  }
  bool required;
  bool optional = false;
  std::vector<std::string> alpn;
};

/// Another way in: a port of its own, at the same interface, with an option of its own.
struct door {
  std::string option; ///< such as "--telnet"
  std::string about;  ///< what `--help` says of it
  std::function<troupe::factory_ref(troupe::runtime&)> make_factory;
  bool same_loop = false; ///< all of its connections are served by loop 0
  bool loopback = false;  ///< it stays on 127.0.0.1, whatever `--interface` says

  /// Says where it is, in the place of the usual line, and whether it speaks TLS.
  std::function<void(const troupe::net_address&, bool)> opened{};

  std::optional<std::uint16_t> port{}; ///< that was asked for

  /// What it speaks over TLS, the best first: `--...-cert` and `--...-key` are options then. None: no TLS.
  std::vector<std::string> alpn{};
  troupe::tls_identity identity{}; ///< that was asked for
};

/// Is the `main` of a server: reads the options, listens, says where, and serves until Ctrl-C.
///
/// \param make_factory  called with the runtime; returns the factory of what the server speaks. With
///                      `--placement reuse_port` it is called once for each loop.
/// \param tls           whether it speaks that over TLS
/// \param doors         other ways in, that are opened if their options are given
/// \param in_manhole    adds to what `--manhole` shows: called with the runtime once the ports are open
/// \param add_options   called with the `CLI::App`, to add options of its own
/// \param before_end    called after the runtime has run, if it did, and before it is destroyed
template <class F>
int run(int argc, char** argv, const std::string& name, const std::string& about,
        std::uint16_t port, F make_factory, tls_use tls = false, std::vector<door> doors = {},
        const std::function<void(troupe::runtime&, troupe::manhole_options&)>& in_manhole = {},
        const std::function<void(CLI::App&)>& add_options = {},
        const std::function<void()>& before_end = {}) {
  troupe::runtime_options options;
  troupe::listen_options listen;
  std::size_t max_connections = 65536;
  std::optional<std::uint16_t> metrics_port;
  std::string place = "round_robin";
  std::string unix_path;
  std::string manhole_path;
  troupe::manhole_options manhole;
  std::string log_level = "info";
  listen.no_delay = true;

  CLI::App app{about, name};
  app.add_option("--port", port, "TCP port; 0 takes a free one (" + std::to_string(port) + ")");
  app
    .add_option("--interface", listen.interface,
                "local address; 0.0.0.0 or :: opens it to the network (127.0.0.1)")
    ->check(command_line::local_address);
  auto* const proxied_by = app.add_option(
    "--proxied-by", listen.proxy_protocol.proxies,
    "proxies (ADDRESS or NETWORK/BITS), which speak the PROXY protocol; others are refused");
  proxied_by->delimiter(',')->allow_extra_args(false);
  if (!tls.required)
    app.add_option("--unix", unix_path, "listens at this UNIX socket too; @NAME is without a file");
  for (auto& d : doors) {
    app.add_option(d.option, d.port, d.about);
    if (d.alpn.empty())
      continue;
    auto* const certificate =
      app.add_option(d.option + "-cert", d.identity.certificate_file,
                     "a certificate chain, PEM: " + d.option + " speaks TLS");
    app
      .add_option(d.option + "-key", d.identity.key_file,
                  "its key, PEM (in the file of the certificate)")
      ->needs(certificate);
  }
  app.add_option("--loops", options.loops, "event loops, and so threads; 0 is one a core (0)");
  app
    .add_option("--placement", place,
                "which loop serves a connection; reuse_port: a port on each (round_robin)")
    ->check(CLI::IsMember({"round_robin", "least_loaded", "reuse_port"}));
  app.add_flag("--pin-threads", options.pin_threads, "ties each loop to a core");
  app.add_option("--metrics", metrics_port,
                 "HTTP port on 127.0.0.1 with counters for Prometheus; 0 takes a free one");
  app.add_option("--manhole", manhole_path,
                 "opens a console into the process at this UNIX socket: see the example console");
  app.add_flag("--manhole-changes", manhole.allow_changes,
               "lets it close connections, set limits and stop the process, too");
  app.add_option("--max-connections", max_connections, "more of them wait (65536)");
  troupe::tls_identity identity;
  if (tls.optional) {
    auto* const certificate = app.add_option("--tls-cert", identity.certificate_file,
                                             "a certificate chain, PEM: speaks TLS");
    app.add_option("--tls-key", identity.key_file, "its key, PEM (in the file of the certificate)")
      ->needs(certificate);
  } else if (tls.required) {
    app.add_option("--certificate", identity.certificate_file, "its certificate chain, PEM")
      ->required();
    app.add_option("--key", identity.key_file, "the key, PEM (in the file of the certificate)");
  }
  command_line::add_log_level(app, log_level);
  if (add_options)
    add_options(app);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  const bool secure = !identity.certificate_file.empty();
  options.logger = troupe::make_logger(name);
  command_line::set_level(*options.logger, log_level);
  allow_many_connections();
  try {
    troupe::runtime rt{options};
    const std::shared_ptr<void> end{nullptr, [&before_end](void*) {
                                      if (before_end)
                                        before_end();
                                    }};
    const auto open = [&] {
      const troupe::factory_ref protocols = make_factory(rt);
      const auto listening =
        secure ? troupe::listen_ssl(
          rt, port, protocols,
          troupe::tls_server_context{{.identities = {identity}, .alpn = tls.alpn}}, listen)
               : troupe::listen_tcp(rt, port, protocols, listen);
      protocols.get()->set_max_connections(max_connections);
      return listening;
    };
    listen.reuse_port = place == "reuse_port";
    if (listen.reuse_port) {
      listen.placement = troupe::placement::same_loop;
      max_connections = (max_connections + rt.loops() - 1) / rt.loops(); // each factory has its own
    } else if (place == "least_loaded") {
      listen.placement = troupe::placement::least_loaded;
    }
    const auto listening = open();
    port = listening.get_host().port();
    for (listen.loop = 1; listen.reuse_port && listen.loop < rt.loops(); ++listen.loop)
      open();
    if (metrics_port)
      std::printf("metrics: http://%s/metrics\n",
                  troupe::listen_tcp(rt, *metrics_port, troupe::metrics_page(rt))
                    .get_host()
                    .to_string()
                    .c_str());
    std::printf("%s listens on %s\n", name.c_str(), listening.get_host().to_string().c_str());
    for (const auto& d : doors) {
      if (!d.port)
        continue;
      const auto protocols = d.make_factory(rt);
      troupe::listen_options of_door = listen;
      of_door.loop = 0;
      of_door.reuse_port = false;
      if (d.loopback) {
        of_door.interface = "127.0.0.1";
        of_door.proxy_protocol = {}; // who comes there does not come through a proxy
      }
      of_door.placement =
        d.same_loop ? troupe::placement::same_loop : troupe::placement::round_robin;
      const auto opened =
        d.identity.certificate_file.empty()
          ? troupe::listen_tcp(rt, *d.port, protocols, of_door)
          : troupe::listen_ssl(
            rt, *d.port, protocols,
            troupe::tls_server_context{{.identities = {d.identity}, .alpn = d.alpn}}, of_door);
      protocols.get()->set_max_connections(max_connections);
      if (d.opened)
        d.opened(opened.get_host(), !d.identity.certificate_file.empty());
      else
        std::printf("%s listens on %s (%s)\n", name.c_str(), opened.get_host().to_string().c_str(),
                    d.option.substr(2).c_str());
    }
    if (!unix_path.empty()) {
      const troupe::factory_ref protocols = make_factory(rt);
      troupe::listen_unix(rt, unix_path, protocols);
      protocols.get()->set_max_connections(max_connections);
      std::printf("%s listens on %s\n", name.c_str(), unix_path.c_str());
    }
    if (!manhole_path.empty()) {
      manhole.name = name;
      manhole.seen.emplace(rt);
      if (in_manhole)
        in_manhole(rt, manhole);
      troupe::listen_manhole(rt, manhole_path, manhole);
      std::printf("manhole: %s\n", manhole_path.c_str());
    }
    // A program that reads where this one listens may stop it at once: signals are watched by then.
    rt.reactor().call_when_running([] { std::fflush(stdout); });
    return rt.run().exit_code();
  } catch (const std::exception& e) { // the port is taken, or an option makes no sense
    std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
    return EXIT_FAILURE;
  }
}

} // namespace server_program
