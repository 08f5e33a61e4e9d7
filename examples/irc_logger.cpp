// Sits in channels of IRC, and prints what is said there, without anything that a terminal would obey.
//
//   $ build/release/examples/irc_logger irc.example "#troupe" --nick scribe
//   signed on as scribe
//   #troupe <ann> hello
//
// Ctrl-C says goodbye.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <troupe/irc/client.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/runtime.hpp>

#include "command_line.hpp"

namespace {

namespace irc = troupe::irc;

class logger : public irc::client {
public:
  using client::client;

  void signed_on() override { print("signed on as " + nick()); }
  void joined(std::string_view channel) override { print("in " + std::string{channel}); }
  void names(std::string_view channel, std::span<const std::string> nicks) override {
    print(std::string{channel} + " has " + std::to_string(nicks.size()) + " users");
  }
  void user_joined(const irc::origin& who, std::string_view channel) override {
    print(std::string{channel} + " * " + std::string{who.nick} + " has come");
  }
  void user_left(const irc::origin& who, std::string_view channel, std::string_view) override {
    print(std::string{channel} + " * " + std::string{who.nick} + " has left");
  }
  void user_renamed(const irc::origin& who, std::string_view nick) override {
    print("* " + std::string{who.nick} + " is called " + std::string{nick} + " now");
  }
  void privmsg(const irc::origin& from, std::string_view to, std::string_view text) override {
    print(std::string{to} + " <" + std::string{from.nick} + "> " + std::string{text});
  }
  void action(const irc::origin& from, std::string_view to, std::string_view text) override {
    print(std::string{to} + " * " + std::string{from.nick} + " " + std::string{text});
  }
  void topic_updated(std::string_view, std::string_view channel, std::string_view topic) override {
    print(std::string{channel} + " topic: " + std::string{topic});
  }
  void connection_lost(const troupe::failure& why) override {
    client::connection_lost(why);
    print("lost: " + why.message());
  }

protected:
  void stop_requested() override {
    quit("Ctrl-C");
    client::stop_requested();
  }

private:
  static void print(const std::string& text) {
    command_line::say(troupe::printable(irc::strip_formatting(text)));
  }
};

} // namespace

int main(int argc, char** argv) {
  std::string host = "127.0.0.1", nick = "scribe";
  std::vector<std::string> channels;
  std::uint16_t port = 6667;
  CLI::App app{"Prints what is said in channels of IRC.", "irc_logger"};
  app.add_option("host", host, "the server")->required();
  app.add_option("channels", channels, "such as \"#troupe\"");
  app.add_option("--port", port, "its TCP port (6667)");
  app.add_option("--nick", nick, "what it is called (scribe)");
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  troupe::runtime rt;
  troupe::connect_tcp(rt, host, port,
                      troupe::client_factory::for_protocol<logger>(
                        irc::client_options{.nick = nick, .channels = channels}));
  return rt.run().exit_code();
}
