// Datagrams between processes of one machine: an echo server, and a client that asks it once.
//
//   $ build/release/examples/unix_datagrams serve /tmp/echo
//   unix_datagrams listens on /tmp/echo
//   received "hello" from /tmp/asker
//
//   $ build/release/examples/unix_datagrams ask /tmp/echo /tmp/asker hello
//   "hello" came back
//
// The client listens at a path of its own, or it could not be answered. Ctrl-C stops the server.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/net/connect_unix_datagram.hpp>
#include <troupe/net/printable.hpp>

#include "command_line.hpp"

class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    // Whatever a stranger sent, it is one line, and no terminal obeys it.
    command_line::say("received " + troupe::quoted_text(troupe::as_text(data), 500) + " from "
                      + troupe::printable(from.to_string()));
    transport().write(data, from);
  }
};

class asker : public troupe::datagram_protocol {
public:
  asker(caf::actor_config& cfg, troupe::runtime* rt, std::string text)
    : datagram_protocol(cfg), rt_(rt), text_(std::move(text)) {}

  void start_protocol() override { transport().write(text_); }

  void datagram_received(troupe::bytes_view data, const troupe::net_address&) override {
    if (troupe::as_text(data) == text_)
      std::printf("\"%s\" came back\n", text_.c_str());
    rt_->stop();
  }

  void connection_refused() override {
    std::printf("the server has gone\n");
    rt_->stop();
  }

private:
  troupe::runtime* rt_;
  const std::string text_;
};

int main(int argc, char** argv) {
  std::string path, own_path, text;
  CLI::App app{"Datagrams between processes of one machine.", "unix_datagrams"};
  app.require_subcommand(1);
  auto* const serve = app.add_subcommand("serve", "sends every datagram back");
  serve->add_option("path", path, "where to listen")->required();
  auto* const ask = app.add_subcommand("ask", "sends one, and waits for it to come back");
  ask->add_option("path", path, "of the server")->required();
  ask->add_option("own-path", own_path, "where the answer comes to")->required();
  ask->add_option("text", text, "what to send")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  try {
    troupe::runtime rt{{.loops = 1}};
    if (serve->parsed()) {
      troupe::listen_unix_datagram(rt, path, troupe::datagram_protocol::of<echo>());
      std::printf("unix_datagrams listens on %s\n", path.c_str());
      std::fflush(stdout);
    } else {
      troupe::connect_unix_datagram(rt, path, troupe::datagram_protocol::of<asker>(&rt, text),
                                    {.bind_address = own_path});
    }
    return rt.run().exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "unix_datagrams: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
