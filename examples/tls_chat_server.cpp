// The chat of chat_server, over TLS.
//
//   $ openssl req -x509 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost
//       -newkey rsa:2048 -keyout key.pem -out certificate.pem       (one line with the one above)
//   $ build/release/examples/tls_chat_server --certificate certificate.pem --key key.pem
//   tls_chat_server listens on 127.0.0.1:8124
//
//   $ build/release/examples/tls_chat_client localhost 8124 --trust certificate.pem
//   What's your name?
//
// Ctrl-C stops it. `--help` lists the options.

#include <optional>

#include "chat/chat.hpp"
#include "server_program.hpp"

int main(int argc, char** argv) {
  return server_program::run(
    argc, argv, "tls_chat_server", "A chat server over TLS.", 8124,
    [service = std::optional<chat_service>{}](auto& rt) mutable {
      if (!service)
        service.emplace(rt); // one for the ports of all loops
      return service->make_factory();
    },
    true);
}
