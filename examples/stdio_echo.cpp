// Answers each line that is typed, or piped in, until "quit" or the end: a protocol for standard
// input and output that would serve a socket as well.
//
//   $ printf 'hello\nquit\n' | build/release/examples/stdio_echo
//   Say something, or quit.
//   You said: hello
//   Bye.
//
// It fails with status 1, and says why, if it cannot read or write.

#include <cstdio>
#include <functional>
#include <string>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/open_stdio.hpp>

class conversation : public troupe::line_receiver {
public:
  conversation(caf::actor_config& cfg, troupe::runtime& rt) : line_receiver(cfg), rt_(rt) {}

  void connection_made() override {
    set_delimiter("\n");
    send_line("Say something, or quit.");
  }

  void line_received(std::string_view line) override {
    if (line == "quit") {
      send_line("Bye.");
      transport().lose_connection();
    } else {
      send_line("You said: " + std::string(line));
    }
  }

  void connection_lost(const troupe::failure& why) override {
    if (loop().stopping()) // which is why the connection ends
      return;
    if (why.check(troupe::errc::connection_done))
      return rt_.stop();
    std::fprintf(stderr, "stdio_echo: %s\n", why.message().c_str());
    rt_.give_up(why); // run() returns it
  }

private:
  troupe::runtime& rt_;
};

int main() {
  troupe::runtime rt{{.loops = 1}};
  troupe::open_stdio(rt, troupe::build<conversation>(std::ref(rt)))
    ->attach_functor([&](const caf::error& e) {
      if (const troupe::failure why{e}; why.check(troupe::errc::not_connected)) { // nobody is there
        std::fprintf(stderr, "stdio_echo: %s\n", why.message().c_str());
        rt.give_up(why);
      }
    });
  return rt.run().exit_code();
}
