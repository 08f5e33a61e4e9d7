// The chat, fifth step: it listens where its arguments say, in the clear and over TLS.
//
//   chat5 tcp:8123 ssl:8124:privateKey=key.pem:certKey=chain.pem unix:/run/chat

#include <cstdio>
#include <cstdlib>

#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/tls_info.hpp>

#include "../chat3/chat.hpp"

// [chat]
/// Tells those who come over TLS that nobody else reads what they write.
class polite_chat : public chat {
public:
  using chat::chat;

  void connection_made() override {
    if (const troupe::tls_info* tls = transport().tls())
      send_line("This connection is encrypted: " + std::string{tls->version_name()} + ".");
    chat::connection_made();
  }
};
// [/chat]

// [main]
int main(int argc, char** argv) {
  troupe::runtime rt;
  if (!rt.names().put("users", rt.spawn<registry>()))
    return EXIT_FAILURE;
  const auto users =
    troupe::factory::for_protocol<polite_chat>(rt.names().get("users"), troupe::topics{rt});
  try {
    for (int i = 1; i < argc; ++i)
      troupe::server_from_string(rt, argv[i])
        ->listen(users)
        .add_callback([](const troupe::listening_port& port) {
          std::printf("chat listens on %s\n", port.get_host().to_string().c_str());
          std::fflush(stdout);
        })
        .add_errback([&rt](const troupe::failure& why) {
          rt.reactor().call_when_running([&rt, why] { rt.give_up(why); });
        });
  } catch (
    const std::exception& e) { // a description that makes no sense, or a file that is not there
    std::fprintf(stderr, "chat5: %s\n", e.what());
    return EXIT_FAILURE;
  }
  return rt.run().exit_code();
}
// [/main]
