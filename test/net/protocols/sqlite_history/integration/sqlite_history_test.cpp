#include <troupe/sqlite_history/sqlite_history.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/mount.h>
#include <sys/resource.h>

#include <troupe/history/kept_topics.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/on_loop.hpp"
#include "support/other_process.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

class idle : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
};

/// Kept topics in a file, and an actor to use them.
struct service {
  explicit service(sqlite_history_options options)
    : server(1),
      topics(std::in_place, server.rt, std::make_shared<sqlite_history>(std::move(options))) {
    who = server.rt.spawn_on<idle>(0);
    server.start();
  }
  ~service() { server.stop(); }

  pinned_actor& actor() {
    return *static_cast<pinned_actor*>(caf::actor_cast<caf::abstract_actor*>(who));
  }

  /// Runs `fn` as the actor; a deferred is waited for, and its result is returned.
  template <class F>
  auto as(F fn) {
    return on_loop(server, [this, fn] {
      std::optional<std::invoke_result_t<F&>> d;
      actor().enter([&] { d.emplace(fn()); });
      return std::move(*d);
    });
  }
  template <class F>
  failure refused(F fn) {
    try {
      as(fn);
    } catch (...) {
      return failure::current();
    }
    return {};
  }

  history_position append(const std::string& topic, const std::string& text,
                          const std::string& id = {}) {
    return as([&] { return topics->get(topic).append(actor(), text, {.id = id}); });
  }
  std::string history(const std::string& topic, std::size_t limit = 1000) {
    const auto page = as([&] { return topics->get(topic).history(actor(), {.limit = limit}); });
    std::string all;
    for (const auto& m : page.messages)
      all += m->bytes.text();
    return all;
  }

  running server;
  std::optional<kept_topics> topics;
  caf::actor who;
};

} // namespace

TEST_CASE("what was kept is there when the program begins again", "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "chat.db"};
  history_position first;
  {
    service s{options};
    first = s.append("lobby", "one ");
    s.append("lobby", "two ");
    s.append("kitchen", "soup ");
  }
  service s{options};
  CHECK(s.history("lobby") == "one two ");
  CHECK(s.history("kitchen") == "soup ");
  std::string got;
  const auto r = s.as([&] {
    return s.topics->get("lobby").resume(&s.actor(), first, 10,
                                         [&](const kept_message& m) { got += m.bytes.text(); });
  });
  CHECK(r.complete);
  s.append("lobby", "three ");
  s.as([&] { return succeed(); });
  CHECK(got == "two three ");
}

TEST_CASE("what is too old goes piece by piece, between what is appended", "[sqlite_history]") {
  const directory folder;
  std::atomic<std::int64_t> now{1'000'000};
  const sqlite_history_options options{
    .file = folder / "chat.db", .per_topic = 0, .max_age = 10s, .date = [&] {
      return now.load();
    }};
  {
    service s{options};
    on_loop(s.server, [&] {
      s.actor().enter([&] {
        for (int i = 0; i < 2500; ++i)
          s.topics->get("lobby").append(s.actor(), "x").add_errback([](const failure&) {});
      });
    });
    s.append("kitchen", "soup");
    CHECK(s.history("lobby", 2500).size() == 1000); // as much as is read in one go
  }
  now += 100'000;
  service s{options};
  for (int i = 0; i < 4; ++i) // three pieces are old, and one may go behind each answer
    s.append("kitchen", "bread");
  CHECK(s.history("lobby").empty());
}

TEST_CASE("what was handed over before the stop is kept", "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "chat.db", .per_topic = 0};
  {
    service s{options};
    on_loop(s.server, [&] {
      s.actor().enter([&] {
        for (int i = 0; i < 5000; ++i)
          s.topics->get("lobby").append(s.actor(), "x").add_errback([](const failure&) {});
      });
      s.server.rt.stop();
    });
    s.server.join();
  }
  service s{options};
  CHECK(s.append("lobby", "y").sequence == 5001);
}

TEST_CASE("one process has a file at a time", "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "chat.db"};
  service s{options};
  s.append("lobby", "1");
  running other{1};
  CHECK_THROWS_WITH((kept_topics{other.rt, std::make_shared<sqlite_history>(options)}),
                    Contains(options.file) && Contains("stop the other process"));
}

// The child appends without end, and says what has been acknowledged.
TEST_CASE("a process that appends until it is killed", "[.sqlite_until_killed]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return;
  const auto file = first->hear();
  const auto round = first->hear();
  service s{{.file = file, .per_topic = 0}};
  on_loop(s.server, [&] {
    s.actor().enter([&] {
      for (int i = 0; i < 200; ++i) {
        struct next {
          service* s;
          const first_process* to;
          std::string name;
          int n = 0;
          void operator()() const {
            const auto id = name + '.' + std::to_string(n);
            s->topics->get("room" + std::to_string(n % 7))
              .append(s->actor(), "body of " + id, {.id = id})
              .add_callback([*this, id](history_position p) {
                to->tell(id + ' ' + std::to_string(p.sequence));
                next{s, to, name, n + 1}();
              });
          }
        };
        next{&s, first, round + '.' + std::to_string(i)}();
      }
    });
  });
  (void)first->hear(); // until this one is killed
}

TEST_CASE("whenever a process is killed, nothing that was acknowledged is lost",
          "[sqlite_history]") {
  const directory folder;
  const auto file = folder / "chat.db";
  std::set<std::string> acknowledged;
  for (int round = 0; round < 5; ++round) {
    other_process child{"[.sqlite_until_killed]"};
    child.tell(file);
    child.tell(std::to_string(round));
    const std::size_t until = acknowledged.size() + 300 + static_cast<std::size_t>(round) * 777;
    while (acknowledged.size() < until) {
      const auto line = child.hear();
      REQUIRE_FALSE(line.empty());
      acknowledged.insert(line);
    }
    child.kill();
    for (auto line = child.hear(); !line.empty(); line = child.hear())
      acknowledged.insert(line); // what it had said before
  }
  service s{{.file = file, .per_topic = 0}};
  std::set<std::string> kept;
  std::set<std::uint64_t> sequences;
  for (int room = 0; room < 7; ++room) {
    history_position before{};
    std::uint64_t expected = 0;
    for (;;) {
      const auto page = s.as([&] {
        return s.topics->get("room" + std::to_string(room)).history(s.actor(), {1000, before});
      });
      if (page.messages.empty())
        break;
      for (const auto& m : page.messages) {
        CHECK(m->bytes.text() == "body of " + m->id);
        kept.insert(m->id + ' ' + std::to_string(m->at.sequence));
        sequences.insert(m->at.sequence);
      }
      if (expected != 0)
        CHECK(page.messages.back()->at.sequence == expected); // no gap between pages
      expected = page.messages.front()->previous;
      before = page.messages.front()->at;
    }
    CHECK(expected == 0);
  }
  std::size_t lost = 0;
  for (const auto& line : acknowledged)
    lost += kept.contains(line) ? 0 : 1;
  CHECK(lost == 0);
  CHECK(acknowledged.size() > 5000);
  CHECK(sequences.size() == kept.size());
  CHECK(*sequences.rbegin() == kept.size()); // and none twice
}

TEST_CASE("a full store says so, keeps what it has, and goes on when there is room",
          "[sqlite_history]") {
  const directory folder;
  const sqlite_history_options options{.file = folder / "chat.db", .max_bytes = 200'000};
  service s{options};
  s.append("first", "kept");
  const std::string large(30'000, 'x');
  failure why;
  for (int i = 0; i < 100 && !why; ++i)
    why = s.refused([&] { return s.topics->get("t").append(s.actor(), large); });
  CHECK(why.check(history_errc::store_full));
  CHECK_THAT(why.message(), Contains(options.file));
  CHECK(s.topics->ready());
  CHECK(s.history("first") == "kept");
  CHECK(s.append("first", "!").sequence > 1); // there is room for this one
}

// With the rights for it, on a disk that is really full.
TEST_CASE("a full disk is told, and when there is room again all goes on", "[sqlite_history]") {
  const directory folder;
  const auto disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    WARN("no right to mount: not tested");
    return;
  }
  struct unmount {
    ~unmount() { ::umount2(at.c_str(), MNT_DETACH); }
    std::string at;
  } const after{disk};
  {
    service s{{.file = disk + "/chat.db"}};
    s.append("first", "kept ");
    const auto filler = disk + "/filler";
    {
      std::ofstream fill{filler, std::ios::binary};
      fill << std::string(2 << 20, 'x'); // as much as there is room for
    }
    failure why;
    std::size_t kept = 0;
    for (; kept < 100 && !why; ++kept)
      why =
        s.refused([&] { return s.topics->get("t").append(s.actor(), std::string(20'000, 'y')); });
    CHECK(why.check(history_errc::store_full));
    CHECK_THAT(why.message(), Contains("make room"));
    CHECK(s.history("first") == "kept ");
    std::filesystem::remove(filler);
    s.append("first", "again ");
    CHECK(s.history("first") == "kept again ");
  }
  service s{{.file = disk + "/chat.db"}};
  CHECK(s.history("first") == "kept again ");
}

TEST_CASE("a limit on the size of files is told as a failure to write, and is no end",
          "[sqlite_history]") {
  const directory folder;
  service s{{.file = folder / "chat.db"}};
  s.append("first", "kept ");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  rlimit less = before;
  less.rlim_cur = 100'000;
  ::setrlimit(RLIMIT_FSIZE, &less);
  failure why;
  for (int i = 0; i < 100 && !why; ++i)
    why = s.refused([&] { return s.topics->get("t").append(s.actor(), std::string(20'000, 'y')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  CHECK(why.check(history_errc::store_failed));
  s.append("first", "again ");
  CHECK(s.history("first") == "kept again ");
}
