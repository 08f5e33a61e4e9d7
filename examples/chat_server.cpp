// A chat: each who connects chooses a name, and reads what the others in the room say.
//
//   $ build/release/examples/chat_server         $ telnet 127.0.0.1 8123
//   chat_server listens on 127.0.0.1:8123        What's your name?
//                                                ann
//                                                Welcome, ann!
//                                                <bob> hello, ann
//
// `/help` there lists the commands: /join ROOM and others. With `--telnet 8023` telnet clients find another port,
// where they edit their lines, and what others say does not get into them; on the first one `/terminal` does
// that. With `--irc 6667` clients of IRC are in the same rooms: the lobby is #lobby. Ctrl-C here stops it. `--help` lists the options.

#include <optional>

#include "chat/chat.hpp"
#include "chat/irc_door.hpp"
#include "server_program.hpp"

int main(int argc, char** argv) {
  std::optional<chat_service> service; // one for all ports
  const auto with_service = [&](troupe::runtime& rt) -> chat_service& {
    return service ? *service : service.emplace(rt);
  };
  return server_program::run(
    argc, argv, "chat_server", "A chat server.", 8123,
    [&](auto& rt) { return with_service(rt).make_factory(); }, false,
    {{"--telnet", "TCP port for telnet clients, whose lines are edited here; 0 takes a free one",
      [&](auto& rt) {
        return with_service(rt).make_factory(troupe::telnet_editing::at_once);
      }},
     {"--irc", "TCP port for clients of IRC, where a room is a channel; 0 takes a free one",
      [&](auto& rt) { return make_irc_door(rt, with_service(rt)); }, true}},
    [&](auto& rt, troupe::manhole_options& manhole) {
      manhole.seen->add_topics("rooms", with_service(rt).rooms->topics());
    });
}
