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

class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    const std::string text{troupe::as_text(data)};
    std::printf("received \"%s\" from %s\n", text.c_str(), from.to_string().c_str());
    std::fflush(stdout);
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
  const std::string what = argc > 1 ? argv[1] : "";
  try {
    troupe::runtime rt{{.loops = 1}};
    if (what == "serve" && argc == 3) {
      troupe::listen_unix_datagram(rt, argv[2], troupe::datagram_protocol::of<echo>());
      std::printf("unix_datagrams listens on %s\n", argv[2]);
      std::fflush(stdout);
    } else if (what == "ask" && argc == 5) {
      troupe::connect_unix_datagram(rt, argv[2],
                                    troupe::datagram_protocol::of<asker>(&rt, std::string(argv[4])),
                                    {.bind_address = argv[3]});
    } else {
      std::fprintf(stderr, "usage: unix_datagrams serve PATH | ask PATH OWN-PATH TEXT\n");
      return EXIT_FAILURE;
    }
    return rt.run().exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "unix_datagrams: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
