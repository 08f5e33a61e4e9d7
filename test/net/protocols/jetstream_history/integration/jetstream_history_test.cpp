// Kept topics over a real nats-server. Without that program the tests are skipped.

#include <troupe/jetstream_history/jetstream_history.hpp>

#include <csignal>
#include <optional>
#include <string>

#include <troupe/history/kept_topics.hpp>
#include <troupe/nats/jetstream.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "../../nats/served_nats.hpp"
#include "support/directory.hpp"
#include "support/log_watch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class idle : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
};

/// A process of several that share a stream.
struct node {
  explicit node(const std::string& url, jetstream_history_options o = {},
                kept_topics_options k = {})
    : run(1) {
    o.nats.servers = {url};
    o.nats.ping_interval = 5s; // a disk may take its time
    k.patience = k.append_timeout = 30s;
    topics.emplace(run.rt, std::make_shared<jetstream_history>(std::move(o)), k);
    who = run.rt.spawn_on<idle>(0);
    run.start();
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!topics->ready() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(1ms);
  }
  ~node() { run.stop(); }

  pinned_actor& actor() {
    return *static_cast<pinned_actor*>(caf::actor_cast<caf::abstract_actor*>(who));
  }
  template <class F>
  auto as(F fn) {
    return on_loop(run, [this, fn] {
      std::optional<std::invoke_result_t<const F&>> d;
      actor().enter([&] { d.emplace(fn()); });
      return std::move(*d);
    });
  }
  history_position append(const std::string& topic, const std::string& text,
                          const std::string& id = {}) {
    return as([&] { return topics->get(topic).append(actor(), text, {.id = id}); });
  }
  resumed resume(const std::string& topic, history_position since, std::size_t limit = 1000) {
    return as([&] {
      return topics->get(topic).resume(&actor(), since, limit, [this](const kept_message& m) {
        heard.add(m.id + std::string{m.bytes.text()});
      });
    });
  }
  std::string all() {
    std::string text;
    for (const auto& one : heard.all())
      text += one;
    return text;
  }

  events heard;
  running run;
  std::optional<kept_topics> topics;
  caf::actor who;
};

} // namespace

TEST_CASE("what one process appends all of them hear, in one order", "[history]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  node a{s.address().url}, b{s.address().url};
  REQUIRE(a.topics->ready());
  REQUIRE(b.topics->ready());
  CHECK(a.resume("a lobby.*", {}).complete);
  CHECK(b.resume("a lobby.*", {}).complete);
  a.append("a lobby.*", "1");
  b.append("a lobby.*", "2", "id ");
  a.append("other", "x");
  const auto last = a.append("a lobby.*", "3");
  REQUIRE(a.heard.wait(3));
  REQUIRE(b.heard.wait(3));
  CHECK(a.all() == "1id 23");
  CHECK(b.all() == "1id 23");
  CHECK(b.append("a lobby.*", "2", "id ").sequence == 2); // again

  node c{s.address().url};
  CHECK(c.resume("a lobby.*", {last.epoch, 1}).complete);
  CHECK(c.all() == "id 23");
  node d{s.address().url};
  CHECK(d.resume("a lobby.*", {}, 2).complete);
  CHECK(d.all() == "id 23");
  CHECK_FALSE(d.resume("a lobby.*", {last.epoch + 1, 1}).complete);
}

TEST_CASE("what the stream has dropped is told", "[history]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  jetstream_history_options few;
  few.per_topic = 3;
  node a{s.address().url, few};
  const auto first = a.append("t", "1");
  a.append("t", "2");
  const auto third = a.append("t", "3");
  a.append("t", "4");
  a.append("t", "5");
  node b{s.address().url, few};
  CHECK_FALSE(b.resume("t", first).complete);
  CHECK(b.all() == "345");
  node c{s.address().url, few};
  CHECK(c.resume("t", third).complete);
  CHECK(c.all() == "45");
  CHECK(c.resume("nothing yet", {}).complete);
}

TEST_CASE("messages as large as a server takes are read, with their ids and times", "[history]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  const kept_topics_options large{.max_message = 1'000'000};
  node a{s.address().url, {}, large};
  const auto before = std::chrono::system_clock::now();
  const std::string text(1'000'000, 'x');
  a.append("t", text, "an id. ");
  a.append("t", "", "none");
  node b{s.address().url, {}, large};
  const auto page = b.as([&] { return b.topics->get("t").history(b.actor()); });
  REQUIRE(page.messages.size() == 2);
  CHECK(page.messages[0]->bytes.text() == text);
  CHECK(page.messages[0]->id == "an id. ");
  CHECK(page.messages[1]->bytes.text().empty());
  CHECK(page.messages[1]->id == "none");
  const auto when =
    std::chrono::system_clock::time_point{std::chrono::milliseconds(page.messages[0]->time)};
  CHECK(when > before - 1s);
  CHECK(when < std::chrono::system_clock::now() + 1s);
}

TEST_CASE("a server that is killed loses nothing that was acknowledged, and all go on",
          "[history]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  node a{s.address().url}, b{s.address().url};
  CHECK(b.resume("t", {}).complete);
  for (int i = 0; i < 20; ++i)
    a.append("t", std::to_string(i) + ' ');
  ::kill(s.address().pid, SIGKILL);
  REQUIRE(s.starts.wait(2));
  std::string expected;
  for (int i = 0; i < 20; ++i)
    expected += std::to_string(i) + ' ';
  for (bool kept = false; !kept;) {
    try {
      a.append("t", "last", "the last");
      kept = true;
    } catch (const std::exception&) { // it is not back yet
      std::this_thread::sleep_for(1ms);
    }
  }
  REQUIRE(b.heard.wait(21));
  CHECK(b.all() == expected + "the lastlast");
  CHECK(b.topics->counters().gaps_unfilled == 0);
}

TEST_CASE("a stream of that name for something else is left alone, and that is said", "[history]") {
  if (!nats_server_installed())
    return;
  const directory folder;
  served_nats s{{.store_directory = folder.path}};
  joined_nats other{s};
  other.connect();
  stream_config theirs;
  theirs.name = "rooms";
  theirs.subjects = {"orders.>"};
  on_loop(s.run, [&] { return jetstream{*other.nats}.create_stream(theirs); });
  running run{1};
  const log_watch log{run};
  jetstream_history_options o;
  o.nats.servers = {s.address().url};
  std::optional<kept_topics> topics{std::in_place, run.rt, std::make_shared<jetstream_history>(o)};
  const caf::actor who = run.rt.spawn_on<idle>(0);
  run.start();
  auto& self = *static_cast<pinned_actor*>(caf::actor_cast<caf::abstract_actor*>(who));
  std::string said;
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (said.find("another configuration") == std::string::npos
         && std::chrono::steady_clock::now() < end)
    try {
      on_loop(run, [&] {
        std::optional<deferred<history_position>> d;
        self.enter([&] { d.emplace(topics->get("t").append(self, "x")); });
        return std::move(*d);
      });
    } catch (const std::exception& e) {
      said = e.what();
    }
  CHECK(said.find("another configuration") != std::string::npos);
  CHECK(log.count("another configuration") == 1); // also to those who append nothing
  run.stop();
}
