// The chat, first step: what one types, all others read.

#include <cstdio>

#include <troupe/actors/topic.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/text_line_receiver.hpp>

// [protocol]
class chat : public troupe::text_line_receiver {
public:
  chat(caf::actor_config& cfg, troupe::topic room) : text_line_receiver(cfg), room_(room) {}

  void connection_made() override {
    room_.subscribe(this);
    send_line("Welcome.");
  }
  void line_received(std::string_view line) override {
    room_.publish(std::string{line} + "\r\n", troupe::except{this});
  }

private:
  troupe::topic room_;
};
// [/protocol]

// [main]
int main() {
  troupe::runtime rt;
  troupe::topic room{rt};
  auto port = troupe::listen_tcp(rt, 8123, troupe::factory::for_protocol<chat>(room));
  std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}
// [/main]
