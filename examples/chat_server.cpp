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
// that. With `--irc 6667` clients of IRC are in the same rooms: the lobby is #lobby. With `--history chat.db` what is said is kept
// in that file, and `/history` shows it. Ctrl-C here stops it. `--help` lists the options.

#include <memory>
#include <optional>
#include <string>

#ifdef TROUPE_CHAT_HISTORY
#include <troupe/sqlite_history/sqlite_history.hpp>
#endif

#include "chat/chat.hpp"
#include "chat/irc_door.hpp"
#include "server_program.hpp"

int main(int argc, char** argv) {
  std::optional<chat_service> service; // one for all ports
  std::string history;                 // the file
  std::optional<troupe::kept_topics> kept;
  const auto with_service = [&](troupe::runtime& rt) -> chat_service& {
    if (service)
      return *service;
#ifdef TROUPE_CHAT_HISTORY
    if (!history.empty())
      kept.emplace(rt, std::make_shared<troupe::sqlite_history>(
                         troupe::sqlite_history_options{.file = history, .per_topic = 10'000}));
#endif
    return service.emplace(rt, rt.spawn<user_registry>(), kept ? &*kept : nullptr);
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
    },
    [&]([[maybe_unused]] CLI::App& app) {
#ifdef TROUPE_CHAT_HISTORY
      app.add_option("--history", history, "keeps what is said in this file, for /history");
#endif
    });
}
