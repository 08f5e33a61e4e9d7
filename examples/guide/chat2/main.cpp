// The chat, second step: everybody has a name, and no two have the same.

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/topic.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/runtime/floating_actor.hpp>

using namespace std::chrono_literals;

// [registry]
using claim_atom = caf::atom_constant<caf::atom("claim")>;

/// Knows who has which name. A name is free again when its holder ends, in whichever way.
class registry : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    set_down_handler([this](caf::down_msg& down) {
      std::erase_if(names_, [&](const auto& entry) { return entry.second == down.source; });
    });
    return {[this](claim_atom, const std::string& name) {
      const auto holder = caf::actor_cast<caf::actor>(current_sender());
      const bool granted = names_.emplace(name, holder->address()).second;
      if (granted)
        monitor(holder);
      return granted;
    }};
  }

private:
  std::map<std::string, caf::actor_addr> names_;
};
// [/registry]

// [chat]
class chat : public troupe::text_line_receiver {
public:
  chat(caf::actor_config& cfg, caf::actor names, troupe::topic room)
    : text_line_receiver(cfg), names_(names), room_(room) {}

  void connection_made() override { send_line("What's your name?"); }

  void line_received(std::string_view line) override {
    if (name_.empty())
      claim(troupe::printable(line));
    else
      room_.publish("<" + name_ + "> " + troupe::printable(line) + "\r\n", troupe::except{this});
  }

private:
  void claim(std::string name) {
    if (name.empty())
      return send_line("What's your name?");
    pause_lines(); // until there is an answer
    troupe::ask<bool>(*this, names_, 5s, claim_atom::value, name)
      .add_callback([this, name](bool granted) {
        if (granted) {
          name_ = name;
          send_line("Welcome, " + name_ + "!");
          room_.subscribe(this);
        } else {
          send_line("Name taken, please choose another.");
        }
        resume_lines();
      })
      .add_errback([this](const troupe::failure& why) { quit(why.to_caf_error()); });
  }

  caf::actor names_;
  troupe::topic room_;
  std::string name_;
};
// [/chat]

// [main]
int main(int argc, char** argv) {
  troupe::runtime rt;
  const auto names = rt.spawn<registry>();
  const auto number = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8123);
  const auto port =
    troupe::listen_tcp(rt, number, troupe::factory::for_protocol<chat>(names, troupe::topic{rt}));
  std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}
// [/main]
