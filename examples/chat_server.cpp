// A chat room: each who connects chooses a name, and reads what the others say.
//
//   $ build/release/examples/chat_server         $ telnet 127.0.0.1 8123
//   chat_server listens on 127.0.0.1:8123        What's your name?
//                                                ann
//                                                Welcome, ann!
//                                                <bob> hello, ann
//
// Ctrl-C stops it. `--help` lists the options.

#include "chat_room.hpp"
#include "server_program.hpp"

int main(int argc, char** argv) {
  return server_program::run(argc, argv, "chat_server", "A chat room.", 8123,
                             [everybody = caf::actor{}](auto& rt) mutable {
                               if (!everybody)
                                 everybody = rt.template spawn<room>();
                               return troupe::factory::for_protocol<chat>(everybody);
                             });
}
