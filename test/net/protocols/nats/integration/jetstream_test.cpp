// JetStream of a real nats-server.

#include <troupe/nats/jetstream.hpp>

#include <csignal>
#include <set>

#include "support/directory.hpp"

#include "served_nats.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

template <class F>
std::error_code code_of(running& run, F fn) {
  try {
    (void)on_loop(run, std::move(fn));
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

} // namespace

TEST_CASE("streams keep messages, in order, once for each id, and only where they are expected") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  joined_nats a{s};
  a.connect();
  jetstream js{*a.nats};
  const stream_config config{.name = "ORDERS", .subjects = {"orders.>"}};
  CHECK(on_loop(s.run, [&] { return js.create_stream(config); }).config.name == "ORDERS");
  on_loop(s.run, [&] { return js.create_stream(config); }); // the same once more
  for (const stream_config& open :
       {stream_config{.name = "BARE", .duplicate_window = 0s},
        stream_config{.name = "SHORT", .max_age = 1s, .duplicate_window = 0s},
        stream_config{.name = "COPIED", .subjects = {"copied.*"}, .republish_to = "copy.>"}})
    for (int i = 0; i < 2; ++i) // what is left open is the same once more
      on_loop(s.run, [&] { return js.create_stream(open); });
  auto other = config;
  other.subjects = {"other"};
  CHECK(code_of(s.run, [&] { return js.create_stream(other); }) == nats_errc::stream_exists);
  CHECK(code_of(s.run, [&] { return js.get_stream("NONE"); }) == nats_errc::stream_not_found);
  CHECK(code_of(s.run, [&] { return js.get_stream("a.b"); }) == errc::invalid_argument);

  CHECK(on_loop(s.run, [&] { return js.publish("orders.1", "one", {.id = "id-1"}); }).sequence
        == 1);
  const auto again = on_loop(s.run, [&] { return js.publish("orders.1", "one", {.id = "id-1"}); });
  CHECK(again.duplicate);
  CHECK(again.sequence == 1);
  CHECK(on_loop(s.run,
                [&] {
                  return js.publish("orders.2", "two",
                                    {.headers = {{"K", "v"}}, .expected_last_sequence = 1});
                })
          .sequence
        == 2);
  CHECK(code_of(s.run, [&] { return js.publish("orders.2", "x", {.expected_last_sequence = 1}); })
        == nats_errc::wrong_last_sequence);
  CHECK(code_of(s.run,
                [&] { return js.publish("orders.9", "x", {.expected_last_subject_sequence = 2}); })
        == nats_errc::wrong_last_sequence);
  CHECK(code_of(s.run, [&] { return js.publish("nobody", "x"); })
        == nats_errc::jetstream_unavailable);

  const auto m = on_loop(s.run, [&] { return js.get_message("ORDERS", 2); });
  CHECK(m.subject == "orders.2");
  CHECK(m.payload == "two");
  CHECK(m.headers.get("K") == "v");
  CHECK(on_loop(s.run, [&] { return js.get_last_message("ORDERS", "orders.1"); }).payload == "one");
  CHECK(code_of(s.run, [&] { return js.get_message("ORDERS", 99); })
        == nats_errc::message_not_found);

  // What is acknowledged survives the server.
  ::kill(s.address().pid, SIGKILL);
  REQUIRE(s.starts.wait(2));
  REQUIRE(a.events.wait_for("reconnected"));
  const auto info = on_loop(s.run, [&] { return js.get_stream("ORDERS"); });
  CHECK(info.messages == 2);
  CHECK(info.last_sequence == 2);
  CHECK(on_loop(s.run, [&] { return js.purge_stream("ORDERS", "orders.1"); }) == 1);
  on_loop(s.run, [&] { return js.delete_stream("ORDERS"); });
  CHECK(code_of(s.run, [&] { return js.get_stream("ORDERS"); }) == nats_errc::stream_not_found);
}

TEST_CASE("a consumer delivers each message until it is acknowledged") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  joined_nats a{s};
  a.connect();
  jetstream js{*a.nats};
  on_loop(s.run, [&] {
    return js.create_stream({.name = "S", .subjects = {"s.*"}, .storage = stream_storage::memory});
  });
  for (int i = 1; i <= 5; ++i)
    on_loop(s.run, [&] { return js.publish("s." + std::to_string(i), std::to_string(i)); });
  CHECK(on_loop(s.run, [&] { return js.create_consumer("S", {.name = "C", .ack_wait = 200ms}); })
          .pending
        == 5);
  const auto next = [&](const char* subject, std::uint64_t from) {
    return js.get_next_message("S", subject, from);
  };
  CHECK(on_loop(s.run, [&] { return next("s.4", 2); }).sequence == 4);
  CHECK(on_loop(s.run, [&] { return next("s.4", 4); }).payload == "4");
  CHECK(code_of(s.run, [&] { return next("s.4", 5); }) == nats_errc::message_not_found);
  const auto fetch = [&](fetch_options o) {
    return on_loop(s.run, [&, o] { return js.fetch("S", "C", o); });
  };
  const auto three = fetch({.batch = 3});
  REQUIRE(three.size() == 3);
  CHECK(three[2].message.payload == "3");
  CHECK(three[2].sequence == 3);
  CHECK(three[2].deliveries == 1);
  CHECK(three[2].pending == 2);
  on_loop(s.run, [&] { return js.ack_sync(three[0]); });
  on_loop(s.run, [&] {
    CHECK(!js.ack(three[1]));
    CHECK(!js.nak(three[2]));
    return a->flush();
  });
  std::multiset<std::string> rest; // "3" comes again
  for (const auto& m : fetch({.batch = 3, .expires = 2s})) {
    rest.insert(m.message.payload);
    on_loop(s.run, [&] { return js.ack_sync(m); });
  }
  CHECK(rest == std::multiset<std::string>{"3", "4", "5"});
  CHECK(fetch({.batch = 10, .expires = 0s}).empty());
  const auto begun = std::chrono::steady_clock::now();
  CHECK(fetch({.batch = 10, .expires = 300ms}).empty());
  CHECK(std::chrono::steady_clock::now() - begun >= 290ms);
  const auto info = on_loop(s.run, [&] { return js.get_consumer("S", "C"); });
  CHECK(info.pending == 0);
  CHECK(info.ack_pending == 0);

  // One that comes while we wait.
  const auto late = on_loop(s.run, [&] {
    auto waits = js.fetch("S", "C", {.batch = 1, .expires = 10s});
    js.publish("s.6", "6").add_callback([](const publish_ack&) {});
    return waits;
  });
  REQUIRE(late.size() == 1);
  CHECK(late[0].message.payload == "6");

  const auto ephemeral = on_loop(
    s.run, [&] { return js.create_consumer("S", {.filter = "s.2", .acknowledged = false}); });
  CHECK(ephemeral.pending == 1);
  CHECK(on_loop(s.run, [&] { return js.fetch("S", ephemeral.name); })[0].message.payload == "2");
  on_loop(s.run, [&] { return js.delete_consumer("S", "C"); });
  CHECK(code_of(s.run, [&] { return js.get_consumer("S", "C"); }) == nats_errc::consumer_not_found);
  const auto nobody = code_of(s.run, [&] { return js.fetch("S", "C", {.expires = 10ms}); });
  CHECK((nobody == errc::timed_out || nobody == nats_errc::consumer_not_found)); // servers differ
}

TEST_CASE("a server without JetStream is told at once") {
  if (!nats_server_installed())
    return;
  served_nats s;
  joined_nats a{s};
  a.connect();
  jetstream js{*a.nats};
  CHECK(code_of(s.run, [&] { return js.create_stream({.name = "S", .subjects = {"s"}}); })
        == nats_errc::jetstream_unavailable);
}
