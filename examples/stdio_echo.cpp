// Answers each line that is typed, or piped in, until "quit" or the end: a protocol for standard
// input and output that would serve a socket as well.
//
//   $ printf 'hello\nquit\n' | build/release/examples/stdio_echo
//   Say something, or quit.
//   You said: hello
//   Bye.

#include <cstdio>
#include <cstdlib>
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

  void connection_lost(const troupe::failure&) override {
    if (!loop().stopping()) // else it is why the connection ends
      rt_.stop();
  }

private:
  troupe::runtime& rt_;
};

int main() {
  troupe::runtime rt{{.loops = 1}};
  int status = EXIT_SUCCESS;
  troupe::open_stdio(rt, troupe::build<conversation>(std::ref(rt)))
    ->attach_functor([&](const caf::error& e) {
      if (const troupe::failure why{e}; why.check(troupe::errc::not_connected)) { // nobody is there
        std::fprintf(stderr, "stdio_echo: %s\n", why.message().c_str());
        status = EXIT_FAILURE;
        rt.stop();
      }
    });
  rt.run();
  return status;
}
