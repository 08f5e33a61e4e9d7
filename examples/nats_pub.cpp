// Publishes to a NATS server, or asks, as `nats pub` and `nats request` do: headers, credentials, `drain` so that nothing is
// lost on the way.
//
//   $ build/release/examples/nats_pub greet.joe hello
//   $ build/release/examples/nats_pub --request greet.joe hello      # prints the answer
//   $ build/release/examples/nats_pub --server nats://user:secret@127.0.0.1:4222 greet.joe hello

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <troupe/nats/nats_connection.hpp>
#include <troupe/runtime/coroutine.hpp>

#include "command_line.hpp"

namespace {

/// Publishes so often, at the pace of the server.
troupe::deferred<void> publish(troupe::nats_connection& nats, std::string subject, std::string text,
                               troupe::nats_headers headers, std::size_t count) {
  while (count > 0) {
    const auto refused = nats.publish(subject, text, {.headers = headers});
    if (refused == troupe::errc::queue_overflow)
      co_await nats.flush();
    else if (refused)
      troupe::failure{refused, subject}.raise();
    else
      --count;
  }
  co_await nats.drain();
}

troupe::deferred<void> request(troupe::nats_connection& nats, std::string subject, std::string text,
                               troupe::nats_headers headers) {
  const troupe::nats_request_options with{
    .headers = headers}; // not inside co_await: GCC 12 would free it twice
  const auto answer = co_await nats.request(subject, text, with);
  std::printf("%s\n", answer.payload.c_str());
}

} // namespace

int main(int argc, char** argv) {
  std::string server = "nats://127.0.0.1:4222";
  std::string creds;
  std::string subject;
  std::string text;
  std::vector<std::string> headers;
  bool asks = false;
  std::size_t count = 1;
  CLI::App app{"Publishes to a NATS server", "nats_pub"};
  app.add_option("--server", server, "nats://host:port or tls://host:port (" + server + ")");
  app.add_option("--creds", creds, "a file of credentials");
  app.add_option("--header", headers, "a header, as Name:value; may come several times");
  app.add_option("--count", count, "how often")->check(CLI::PositiveNumber);
  app.add_flag("--request", asks, "waits for an answer, and prints it");
  app.add_option("subject", subject)->required();
  app.add_option("text", text)->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;

  troupe::runtime rt{{.loops = 1}};
  int status = EXIT_FAILURE;
  const auto fail = [&](const troupe::failure& why) {
    std::fprintf(stderr, "nats_pub: %s\n", why.message().c_str());
    rt.stop();
  };
  std::unique_ptr<troupe::nats_connection> nats;
  troupe::nats_headers with;
  try {
    for (const auto& h : headers)
      with.add(h.substr(0, h.find(':')), h.find(':') < h.size() ? h.substr(h.find(':') + 1) : "");
    troupe::nats_options o;
    o.servers = {server};
    o.name = "nats_pub";
    if (!creds.empty())
      o.credentials = troupe::nats_creds_file{creds};
    nats = std::make_unique<troupe::nats_connection>(rt, std::move(o));
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "nats_pub: %s\n", e.what());
    return command_line::wrong_usage;
  }
  rt.reactor().call_when_running([&] {
    (void)nats->start_service();
    nats->when_connected(1)
      .add_callbacks(
        [&] {
          return asks ? request(*nats, subject, text, with)
                      : publish(*nats, subject, text, with, count);
        },
        [](const troupe::failure& why) { return troupe::fail(why); })
      .add_callbacks(
        [&] {
          status = EXIT_SUCCESS;
          rt.stop();
        },
        fail);
  });
  const auto exit_code = rt.run().exit_code();
  nats.reset();
  return exit_code != 0 ? exit_code : status;
}
