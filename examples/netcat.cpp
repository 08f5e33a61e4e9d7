// Joins standard input and output to a connection of any kind, as nc does.
//
//   $ build/release/examples/netcat tcp:localhost:8123
//   $ build/release/examples/netcat ssl:localhost:8124:caCertsFile=certificate.pem
//   $ echo hello | build/release/examples/netcat unix:/run/chat
//   $ build/release/examples/netcat --listen tcp:7007 > file      # serves one connection
//
// The bytes go through as they are: a line ends with LF, and what comes may be anything.
//
// The end of the input ends our half of the connection, and the end of the peer's half that of the
// output; the program ends with both, and at a terminal with the peer's alone. It fails with status
// 1, and says why, if there is no connection or it breaks.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/open_stdio.hpp>

#include "command_line.hpp"

// The two ends, on the one loop that there is: each writes what it reads to the other, and holds
// the other back while it cannot keep up.
struct session {
  troupe::runtime& rt;
  troupe::listening_port port; // while it waits to be called
  troupe::protocol* network = nullptr;
  troupe::protocol* console = nullptr;
  bool joined = false; // there was a console
  int status = EXIT_SUCCESS;

  void fail(const std::string& why) {
    if (status == EXIT_SUCCESS)
      std::fprintf(stderr, "netcat: %s\n", why.c_str());
    status = EXIT_FAILURE;
  }
};

void close(troupe::protocol* p) {
  if (p == nullptr || !p->connected())
    return;
  p->transport().unregister_producer();
  p->transport().lose_connection();
}

class console_end : public troupe::protocol, public troupe::half_closeable {
public:
  console_end(caf::actor_config& cfg, session& s) : protocol(cfg), session_(s) {}

  void connection_made() override {
    session_.console = this;
    session_.joined = true;
    if (session_.network == nullptr)
      return transport().lose_connection(); // it has ended meanwhile
    auto& network = session_.network->transport();
    network.register_producer(transport(), true);
    transport().register_producer(network, true);
    network.resume_producing();
  }

  void data_received(troupe::bytes_view data) override {
    if (session_.network != nullptr)
      session_.network->transport().write(data);
  }

  void read_connection_lost() override {
    if (session_.network == nullptr)
      return;
    session_.network->transport().unregister_producer();
    session_.network->transport().lose_write_connection();
  }

  void write_connection_lost() override {}

  void connection_lost(const troupe::failure& why) override {
    session_.console = nullptr;
    if (!why.check(troupe::errc::connection_done) && !loop().stopping())
      session_.fail("standard output: " + why.message());
    close(session_.network);
    if (session_.network == nullptr && !loop().stopping())
      session_.rt.stop();
  }

private:
  session& session_;
};

class network_end : public troupe::protocol, public troupe::half_closeable {
public:
  network_end(caf::actor_config& cfg, session& s) : protocol(cfg), session_(s) {}

  void connection_made() override {
    session_.network = this;
    transport().pause_producing(); // until there is somewhere to write to
    const auto console =
      troupe::open_stdio(session_.rt, troupe::build<console_end>(std::ref(session_)));
    console->attach_functor([&s = session_](const caf::error& why) {
      if (!s.joined && s.network != nullptr) { // standard input or output cannot be used
        s.fail(troupe::failure{why}.message());
        close(s.network);
      }
    });
    if (session_.port.actor())
      session_.port.stop_listening();
  }

  void data_received(troupe::bytes_view data) override {
    if (session_.console != nullptr)
      session_.console->transport().write(data);
  }

  void read_connection_lost() override {
    if (::isatty(STDIN_FILENO))
      return close(this);
    if (session_.console == nullptr)
      return;
    session_.console->transport().unregister_producer();
    session_.console->transport().lose_write_connection();
  }

  void write_connection_lost() override {}

  void connection_lost(const troupe::failure& why) override {
    session_.network = nullptr;
    if (!why.check(troupe::errc::connection_done) && !loop().stopping())
      session_.fail(why.message());
    close(session_.console);
    if (session_.console == nullptr && !loop().stopping())
      session_.rt.stop();
  }

private:
  session& session_;
};

int main(int argc, char** argv) {
  std::string endpoint;
  bool listen = false;
  CLI::App app{"Joins standard input and output to a connection.", "netcat"};
  app.add_option("endpoint", endpoint, "such as tcp:localhost:8123, tls:..., unix:/path")
    ->required();
  app.add_flag("-l,--listen", listen, "waits for one connection instead of making it");
  std::string log_level = "warning";
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  auto logger = spdlog::stderr_logger_mt("netcat");
  command_line::set_level(*logger, log_level);
  troupe::runtime rt{{.loops = 1, .logger = logger}};
  session s{.rt = rt, .port = {}};
  const auto protocols = troupe::factory::for_protocol<network_end>(std::ref(s));
  const auto failed = [&s](const troupe::failure& why) {
    s.fail(why.message());
    s.rt.stop();
  };
  std::unique_ptr<troupe::server_endpoint> server;
  std::unique_ptr<troupe::client_endpoint> client;
  try {
    if (listen)
      server = troupe::server_from_string(rt, endpoint);
    else
      client = troupe::client_from_string(rt, endpoint);
  } catch (const std::exception& e) { // the description is wrong, or a file that it names
    s.fail(e.what());
    return s.status;
  }
  rt.reactor().call_when_running([&] {
    if (listen)
      server->listen(protocols).add_callbacks(
        [&](const troupe::listening_port& port) {
          protocols.get()->set_max_connections(1);
          s.port = port;
          std::fprintf(stderr, "netcat listens on %s\n", port.get_host().to_string().c_str());
        },
        failed);
    else
      client->connect(protocols).add_callbacks([](const troupe::connected_protocol&) {}, failed);
  });
  rt.run();
  return s.status;
}
