// One end of a protocol of lines that goes on with TLS in the middle, for streams_check.py.
//
//   starttls_peer --identity folder/      listens at a free port; key.pem and cert.pem are in the folder
//   starttls_peer --connect 7007 --trust cert.pem
//                                         says hello, plain and then sealed, and says what comes back
//
// A server answers a line by the word "plain" or "sealed" and that line.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/start_tls.hpp>

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void say_lost(const troupe::failure& why) {
  say(why.check(troupe::errc::connection_done) ? "lost cleanly" : "lost: " + why.message());
}

class server : public troupe::line_receiver {
public:
  server(caf::actor_config& cfg, troupe::tls_server_context tls)
    : line_receiver(cfg), tls_(std::move(tls)) {}
  void connection_made() override { send_line("220 ready"); }
  void line_received(std::string_view line) override {
    if (line == "STARTTLS") {
      send_line("220 go ahead");
      return troupe::start_tls(*this, tls_);
    }
    if (line == "QUIT")
      return transport().lose_connection();
    send_line((transport().tls() != nullptr ? "sealed " : "plain ") + std::string(line));
  }
  void connection_lost(const troupe::failure& why) override { say_lost(why); }

private:
  troupe::tls_server_context tls_;
};

class client : public troupe::line_receiver, public troupe::handshake_listener {
public:
  client(caf::actor_config& cfg, troupe::runtime* rt, troupe::tls_client_context tls)
    : line_receiver(cfg), rt_(rt), tls_(std::move(tls)) {}
  void line_received(std::string_view line) override {
    say("got " + std::string(line));
    if (line == "220 ready")
      send_line("hello");
    else if (line == "plain hello")
      send_line("STARTTLS");
    else if (line == "220 go ahead")
      troupe::start_tls(*this, tls_, "localhost");
    else
      send_line("QUIT");
  }
  void handshake_completed() override {
    say("version " + std::string(transport().tls()->version_name()));
    send_line("hello again");
  }
  void connection_lost(const troupe::failure& why) override {
    say_lost(why);
    rt_->stop();
  }

private:
  troupe::runtime* rt_;
  troupe::tls_client_context tls_;
};

} // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  std::string trusted;
  std::string identity;
  CLI::App app{"One end of a protocol that goes on with TLS.", "starttls_peer"};
  app.add_option("--connect", port);
  app.add_option("--trust", trusted);
  app.add_option("--identity", identity);
  CLI11_PARSE(app, argc, argv);

  auto logger = spdlog::stderr_logger_mt("starttls_peer");
  troupe::runtime rt{{.loops = 1, .logger = logger}};
  if (port != 0) {
    troupe::connect_tcp(rt, "localhost", port,
                        troupe::client_factory::for_protocol<client>(
                          &rt, troupe::tls_client_context{{.trusted_file = trusted}}));
  } else {
    const troupe::tls_server_context tls{
      {.identities = {{identity + "/cert.pem", identity + "/key.pem", {}}}}};
    const auto listening = troupe::listen_tcp(rt, 0, troupe::factory::for_protocol<server>(tls));
    say("listens on " + listening.get_host().to_string());
  }
  rt.run();
  return EXIT_SUCCESS;
}
