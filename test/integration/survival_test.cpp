// What a server must survive: crowds, rude peers, and its own end at any moment.

#include <atomic>
#include <numeric>

#include <caf/send.hpp>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/floating_actor.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"
#include "support/text.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using join_atom = caf::atom_constant<caf::atom("join")>;
using say_atom = caf::atom_constant<caf::atom("say")>;

/// Sends every line to everybody.
class crier : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    set_down_handler([this](caf::down_msg& down) { std::erase(all_, down.source); });
    return {
      [this](join_atom) {
        monitor(caf::actor_cast<caf::actor>(current_sender()));
        all_.push_back(caf::actor_cast<caf::actor_addr>(current_sender()));
      },
      [this](say_atom, const shared_bytes& line) {
        for (const auto& one : all_)
          if (const auto to = caf::actor_cast<caf::actor>(one))
            send(to, line);
      },
    };
  }

private:
  std::vector<caf::actor_addr> all_;
};

class talker : public line_receiver {
public:
  talker(caf::actor_config& cfg, caf::actor room, events* log)
    : line_receiver(cfg), room_(std::move(room)), log_(log) {}
  void connection_made() override { send(room_, join_atom::value); }
  void line_received(std::string_view line) override {
    send(room_, say_atom::value, shared_bytes{std::string{line} + "\r\n"});
  }
  void connection_lost(const failure& why) override { log_->add(why.message()); }
  caf::behavior make_behavior() override {
    return {[this](const shared_bytes& line) {
      transport().write(line);
    }};
  }

private:
  caf::actor room_;
  events* log_;
};

class echo : public protocol {
public:
  explicit echo(caf::actor_config& cfg, std::atomic<long>* open = nullptr)
    : protocol(cfg), open_(open) {}
  void connection_made() override {
    if (open_ != nullptr)
      ++*open_;
  }
  void data_received(bytes_view data) override { transport().write(data); }
  void connection_lost(const failure&) override {
    if (open_ != nullptr)
      --*open_;
  }

private:
  std::atomic<long>* open_;
};

/// Waits until `open` is `count`; false after ten seconds.
bool becomes(const std::atomic<long>& open, long count) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (open != count && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  return open == count;
}

} // namespace

TEST_CASE("ten thousand connections opened and dropped leave nothing behind") {
  const std::size_t loops = GENERATE(1, 4);
  std::atomic<long> open{0};
  const auto before = open_descriptors();
  {
    running server{loops};
    const auto port =
      listen_tcp(server.rt, 0, factory::for_protocol<echo>(&open), {.backlog = 500});
    server.start();
    for (std::size_t round = 0; round < 20; ++round) {
      std::vector<client> crowd;
      for (std::size_t i = 0; i < load_size(10'000) / 20; ++i)
        crowd.emplace_back(port.get_host().port());
      for (std::size_t i = 0; i < crowd.size(); i += 3)
        crowd[i].send("x");
      for (std::size_t i = 0; i < crowd.size(); i += 2)
        crowd[i].reset();
    }
    CHECK(becomes(open, 0));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("others talk undisturbed while connections come and go") {
  const std::size_t loops = GENERATE(1, 4);
  std::atomic<long> open{0};
  std::atomic<bool> done{false};
  running server{loops};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<echo>(&open), {.backlog = 500});
  server.start();
  std::thread crowd([&] {
    for (std::size_t i = 0; i < load_size(3000); ++i) {
      client c{port.get_host().port()};
      if (i % 3 == 0)
        c.send("something");
      if (i % 2 == 0)
        c.reset();
    }
    done = true;
  });
  client c{port.get_host().port()};
  std::size_t echoes = 0;
  for (; !done || echoes < 100; ++echoes) {
    const auto text = "message " + std::to_string(echoes);
    c.send(text);
    REQUIRE(c.receive(text.size()) == text);
  }
  crowd.join();
}

TEST_CASE("a peer that resets in the middle of a write ends only its connection") {
  std::atomic<long> open{0};
  running server{2};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<echo>(&open));
  server.start();
  client other{port.get_host().port()};
  for (std::size_t i = 0; i < load_size(200); ++i) {
    client c{port.get_host().port()};
    c.set_receive_buffer(4096);
    const std::string data(400'000, 'x');
    c.send_some(data);
    if (i % 2 == 0)
      c.receive(1000);
    c.reset();
  }
  other.send("fine");
  CHECK(other.receive(4) == "fine");
  CHECK(becomes(open, 1));
}

TEST_CASE("one who never reads is closed for it, and the others get every line") {
  const std::size_t loops = GENERATE(1, 4);
  constexpr std::size_t limit = 256 * 1024;
  events log;
  std::atomic<bool> stop{false};
  running server{loops};
  const auto room = server.rt.spawn<crier>();
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<talker>(room, &log),
                               {.output = {.hard = limit}});
  server.start();
  const auto number = port.get_host().port();
  const auto talkers = load_size(100);
  client lazy{number};
  lazy.set_receive_buffer(2048);
  std::vector<client> all;
  for (std::size_t i = 0; i < talkers; ++i)
    all.emplace_back(number);
  client reader{number};
  // A join is a message; who has heard his own line has joined.
  const auto joined = [](client& c, const std::string& name) {
    c.send(name + "\r\n");
    while (c.line() != name + "\r\n") {
    }
  };
  for (std::size_t i = 0; i < all.size(); ++i)
    joined(all[i], "talker " + std::to_string(i));
  joined(reader, "reader");

  // Everybody but the lazy one drains what comes.
  std::thread drain([&] {
    std::vector<char> sink(65536);
    while (!stop)
      for (auto& c : all)
        while (::recv(c.fd(), sink.data(), sink.size(), MSG_DONTWAIT) > 0) {
        }
  });
  const std::string text(1000, 't');
  std::size_t got = 0;
  for (std::size_t round = 0; log.count(text_of(errc::output_limit_reached)) == 0; ++round) {
    REQUIRE(round < 2000);
    for (auto& c : all)
      c.send(text + "\r\n");
    for (std::size_t i = 0; i < talkers; ++i, ++got)
      REQUIRE(reader.line() == text + "\r\n");
  }
  stop = true;
  drain.join();
  CHECK(log.all() == std::vector<std::string>{text_of(errc::output_limit_reached)});
  reader.send("still here\r\n");
  CHECK(reader.line() == "still here\r\n");
}

TEST_CASE("lines that never end close their connection, and garbage harms nobody") {
  events log;
  running server{2};
  const auto room = server.rt.spawn<crier>();
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<talker>(room, &log));
  server.start();
  client endless{port.get_host().port()};
  endless.send(std::string(20'000, 'e'));
  endless.rest();
  REQUIRE(log.wait(1));
  CHECK(log.all().front() == text_of(errc::line_too_long));
  client odd{port.get_host().port()};
  const std::string line{"a\0b\xff\xfe\x80 \r \n z", 13};
  odd.send(line + "\r\n");
  CHECK(odd.line() == line + "\r\n");
}

TEST_CASE("protocols killed from other threads end once each, and the server goes on") {
  struct target : protocol {
    target(caf::actor_config& cfg, events* l, std::mutex* m, std::vector<caf::actor>* a)
      : protocol(cfg), log(l), mutex(m), actors(a) {}
    void connection_made() override {
      const std::lock_guard hold{*mutex};
      actors->push_back(caf::actor{this});
    }
    void connection_lost(const failure&) override { log->add("lost"); }
    events* log;
    std::mutex* mutex;
    std::vector<caf::actor>* actors;
  };
  const auto count = load_size(500);
  events log;
  std::mutex mutex;
  std::vector<caf::actor> actors;
  std::atomic<std::size_t> killed{0};
  running server{4};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<target>(&log, &mutex, &actors),
                               {.backlog = 1000});
  server.start();
  std::vector<client> all;
  for (std::size_t i = 0; i < count; ++i)
    all.emplace_back(port.get_host().port());
  std::vector<std::thread> killers;
  for (int i = 0; i < 3; ++i)
    killers.emplace_back([&] {
      while (killed < count) {
        std::vector<caf::actor> now;
        {
          const std::lock_guard hold{mutex};
          now.swap(actors);
        }
        for (const auto& a : now) {
          caf::anon_send_exit(a, caf::exit_reason::kill);
          caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
          ++killed;
        }
        std::this_thread::yield();
      }
    });
  for (auto& c : all)
    CHECK(c.rest().empty());
  for (auto& k : killers)
    k.join();
  REQUIRE(log.wait(count));
  CHECK(log.all().size() == count);
  CHECK(client{port.get_host().port()}.fd() >= 0);
}

TEST_CASE("stopping under full load ends every connection once") {
  const std::size_t loops = GENERATE(1, 4);
  std::atomic<long> open{0};
  const auto before = open_descriptors();
  {
    running server{loops, 200ms};
    const auto port =
      listen_tcp(server.rt, 0, factory::for_protocol<echo>(&open), {.backlog = 500});
    server.start();
    std::vector<std::thread> crowd;
    std::atomic<long> echoes{0};
    for (int t = 0; t < 3; ++t)
      crowd.emplace_back([&] {
        try {
          for (;;) {
            std::vector<client> some;
            for (int i = 0; i < 10; ++i)
              some.emplace_back(port.get_host().port());
            for (int n = 0; n < 20; ++n)
              for (auto& c : some) {
                c.send("0123456789");
                c.receive(10);
                ++echoes;
              }
          }
        } catch (const std::runtime_error&) { // the server has gone
        }
      });
    while (echoes < 500)
      std::this_thread::yield();
    server.stop();
    CHECK(open == 0);
    for (auto& t : crowd)
      t.join();
  }
  CHECK(open_descriptors() == before);
}

namespace {

/// Stops the runtime where it is told to.
class stopper : public protocol {
public:
  stopper(caf::actor_config& cfg, runtime* rt, events* log, bool at_once)
    : protocol(cfg), rt_(rt), log_(log), at_once_(at_once) {}
  void connection_made() override {
    if (at_once_)
      rt_->stop();
  }
  void data_received(bytes_view data) override {
    transport().write(data);
    rt_->stop();
  }
  void connection_lost(const failure& why) override { log_->add(why.message()); }

private:
  runtime* rt_;
  events* log_;
  bool at_once_;
};

} // namespace

TEST_CASE("a protocol may stop the runtime, and what it wrote is sent") {
  const std::size_t loops = GENERATE(1, 4);
  const bool at_once = GENERATE(true, false);
  events log;
  running server{loops};
  const auto port =
    listen_tcp(server.rt, 0, factory::for_protocol<stopper>(&server.rt, &log, at_once));
  server.start();
  client c{port.get_host().port()};
  if (!at_once)
    c.send("last words");
  CHECK(c.rest() == (at_once ? "" : "last words"));
  server.join();
  CHECK(log.all() == std::vector<std::string>{text_of(errc::runtime_stopped)});
}

TEST_CASE("connections that do not flush are ended after the grace time") {
  struct flood : protocol {
    flood(caf::actor_config& cfg, events* l) : protocol(cfg), log(l) {}
    void connection_made() override { transport().write(std::string(8u << 20, 'f')); }
    void connection_lost(const failure& why) override { log->add(why.message()); }
    events* log;
  };
  events log;
  running server{2, 50ms};
  const auto port = listen_tcp(server.rt, 0, factory::for_protocol<flood>(&log));
  server.start();
  client c{port.get_host().port()};
  c.receive(1);
  server.stop();
  CHECK(log.all() == std::vector<std::string>{text_of(errc::runtime_stopped)});
}

TEST_CASE("stop before run is refused, and a port that never ran closes", "[R01]") {
  const auto before = open_descriptors();
  {
    runtime rt{{.loops = 2}};
    const auto port = listen_tcp(rt, 0, factory::for_protocol<echo>());
    CHECK_THROWS_AS(rt.stop(), reactor_not_running);
    client waiting{port.get_host().port()}; // in the listen queue, never accepted
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("two runtimes in one process do not know of each other") {
  running first{2}, second{2};
  const auto a = listen_tcp(first.rt, 0, factory::for_protocol<echo>());
  const auto b = listen_tcp(second.rt, 0, factory::for_protocol<echo>());
  first.start();
  second.start();
  client to_a{a.get_host().port()}, to_b{b.get_host().port()};
  to_a.send("a");
  to_b.send("b");
  CHECK(to_a.receive(1) == "a");
  first.stop();
  CHECK(to_a.rest().empty());
  CHECK(to_b.receive(1) == "b");
  to_b.send("c");
  CHECK(to_b.receive(1) == "c");
}
