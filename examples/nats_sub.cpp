// Prints what is published to a NATS server, as `nats sub` does, or answers requests: subscriptions that outlive
// connections, queue groups, events of the connection.
//
//   $ build/release/examples/nats_sub 'greet.>'
//   $ build/release/examples/nats_sub --queue workers --reply 'at your service' 'greet.>'

#include <cstdio>
#include <memory>
#include <string>

#include <troupe/nats/nats_connection.hpp>
#include <troupe/runtime/logger.hpp>

#include "command_line.hpp"

int main(int argc, char** argv) {
  std::string server = "nats://127.0.0.1:4222";
  std::string creds;
  std::string pattern;
  std::string answer;
  troupe::nats_subscribe_options how;
  CLI::App app{"Prints what is published to a NATS server", "nats_sub"};
  app.add_option("--server", server, "nats://host:port or tls://host:port (" + server + ")");
  app.add_option("--creds", creds, "a file of credentials");
  app.add_option("--queue", how.queue, "shares the messages with others of that group");
  app.add_option("--count", how.max_messages, "ends after so many messages");
  app.add_option("--reply", answer, "answers requests with this");
  app.add_option("pattern", pattern, "such as 'greet.*' or 'greet.>'")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  troupe::runtime rt{{.loops = 1}};
  std::unique_ptr<troupe::nats_connection> nats;
  troupe::nats_subscription messages;
  std::uint64_t left = how.max_messages;
  try {
    troupe::nats_options o;
    o.servers = {server};
    o.name = "nats_sub";
    o.on_event = [](const troupe::nats_event& e) {
      std::fprintf(stderr, "%s %s %s\n", std::string{name(e.what)}.c_str(), e.text.c_str(),
                   e.why ? e.why.message().c_str() : "");
    };
    if (!creds.empty())
      o.credentials = troupe::nats_creds_file{creds};
    nats = std::make_unique<troupe::nats_connection>(rt, std::move(o));
    messages = nats->subscribe(pattern, how, [&](const troupe::nats_message_view& m) {
      std::printf("[%.*s] %s\n", static_cast<int>(m.subject.size()), m.subject.data(),
                  troupe::escape_text(m.payload, 64 * 1024).c_str());
      std::fflush(stdout);
      if (!answer.empty() && !m.reply.empty())
        nats->respond(m, answer);
      if (how.max_messages != 0 && --left == 0)
        nats->drain().add_both([&](const troupe::outcome<void>&) { rt.stop(); });
    });
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "nats_sub: %s\n", e.what());
    return command_line::wrong_usage;
  }
  rt.reactor().call_when_running([&] { (void)nats->start_service(); });
  const auto exit_code = rt.run().exit_code();
  messages = {};
  nats.reset();
  return exit_code;
}
