// One end of TLS that says what it sees, a line for each event, for openssl_check.py.
//
//   tls_peer [options]              listens at a free port, and gives back what comes
//   tls_peer --connect 7007 [...]   connects to that port of localhost, says hello, and ends the
//                                   connection when an answer has come; with --stay the peer ends it

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/listen_ssl.hpp>

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void say_made(const troupe::tls_info& tls) {
  const auto peer = tls.peer_certificate();
  say("made version=" + std::string(tls.version_name()) + " alpn=" + std::string(tls.alpn())
      + " name=" + std::string(tls.server_name()) + " resumed=" + (tls.resumed() ? "yes" : "no")
      + " peer=" + (peer ? peer->subject : "nobody"));
}

void say_lost(const troupe::failure& why) {
  say(why.check(troupe::errc::connection_done) ? "lost cleanly" : "lost: " + why.message());
}

class echo : public troupe::protocol {
public:
  using protocol::protocol;
  void connection_made() override { say_made(*transport().tls()); }
  void data_received(troupe::bytes_view data) override { transport().write(data); }
  void connection_lost(const troupe::failure& why) override { say_lost(why); }
};

class greeter : public troupe::protocol {
public:
  greeter(caf::actor_config& cfg, bool stay) : protocol(cfg), stay_(stay) {}
  void connection_made() override {
    say_made(*transport().tls());
    transport().write("hello\n");
  }
  void data_received(troupe::bytes_view) override {
    say("answered");
    if (!stay_)
      transport().lose_connection();
  }
  void connection_lost(const troupe::failure& why) override { say_lost(why); }

private:
  bool stay_;
};

// Connects as often as it was told to, and then stops the program.
class several : public troupe::client_factory {
public:
  several(caf::actor_config& cfg, troupe::runtime* rt, int times, bool stay)
    : client_factory(cfg), rt_(rt), times_(times), stay_(stay) {}
  troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
    return make_protocol<greeter>(stay_);
  }
  void client_connection_failed(troupe::connector&, const troupe::failure& why) override {
    say("failed: " + why.message());
    rt_->stop();
  }
  void client_connection_lost(troupe::connector& c, const troupe::failure&) override {
    if (--times_ > 0)
      c.connect();
    else
      rt_->stop();
  }

private:
  troupe::runtime* rt_;
  int times_;
  bool stay_;
};

} // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  int times = 1;
  bool stay = false;
  std::vector<std::string> identities; // each the path of a certificate and key, without ".pem"
  std::vector<std::string> alpn;
  std::string trusted;
  std::string server_name;
  std::string clients = "none";
  CLI::App app{"One end of TLS.", "tls_peer"};
  app.add_option("--connect", port);
  app.add_option("--times", times);
  app.add_flag("--stay", stay);
  app.add_option("--identity", identities);
  app.add_option("--alpn", alpn);
  app.add_option("--trust", trusted);
  app.add_option("--name", server_name);
  app.add_option("--clients", clients)->check(CLI::IsMember({"none", "optional", "required"}));
  CLI11_PARSE(app, argc, argv);

  auto logger = spdlog::stdout_logger_mt("tls_peer");
  logger->set_pattern("log: %v");
  logger->set_level(spdlog::level::debug); // handshakes that fail
  logger->flush_on(spdlog::level::debug);
  troupe::runtime rt{{.loops = 1, .logger = logger}};
  if (port != 0) {
    troupe::tls_client_options o;
    o.trusted_file = trusted;
    o.alpn = alpn;
    o.server_name = server_name;
    if (!identities.empty())
      o.identity = {identities[0] + ".pem", identities[0] + ".key", {}};
    troupe::connect_ssl(rt, "localhost", port,
                        troupe::client_factory::of<several>(&rt, times, stay),
                        troupe::tls_client_context{o});
    rt.run();
    return EXIT_SUCCESS;
  }
  troupe::tls_server_options o;
  for (const auto& i : identities)
    o.identities.push_back({i + ".pem", i + ".key", {}});
  o.alpn = alpn;
  o.trusted_file = trusted;
  o.clients = clients == "required"   ? troupe::client_certificates::required
              : clients == "optional" ? troupe::client_certificates::optional
                                      : troupe::client_certificates::none;
  const auto listening =
    troupe::listen_ssl(rt, 0, troupe::factory::for_protocol<echo>(), troupe::tls_server_context{o});
  say("listens on " + listening.get_host().to_string());
  rt.run();
  return EXIT_SUCCESS;
}
