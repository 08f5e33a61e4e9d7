// A chat: each who connects chooses a name, and reads what the others in the room say.
//
//   $ build/release/examples/chat_server         $ telnet 127.0.0.1 8123
//   chat_server listens on 127.0.0.1:8123        What's your name?
//                                                ann
//                                                Welcome, ann!
//                                                <bob> hello, ann
//
// `/help` there lists the commands: /join ROOM and others. Ctrl-C here stops it. `--help` lists the options.

#include <optional>

#include "chat/chat.hpp"
#include "server_program.hpp"

int main(int argc, char** argv) {
  return server_program::run(argc, argv, "chat_server", "A chat server.", 8123,
                             [service = std::optional<chat_service>{}](auto& rt) mutable {
                               if (!service)
                                 service.emplace(rt);
                               return service->make_factory();
                             });
}
