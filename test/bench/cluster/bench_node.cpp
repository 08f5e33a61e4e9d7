// A node for cluster_bench.py, which tells it what to do by lines on standard input; it answers each on standard output.
//
//   bench_node cluster NAME URL   a node of a cluster over NATS
//   bench_node plain              the same commands without a cluster, as far as they need none
//   bench_node listen             the floor: takes frames of a bare Troupe transport over TLS; prints where
//   bench_node connect PORT       the floor: sends them
//
//   nodes N            answers when N others are up
//   subscribe FROM N   subscribes to topics FROM .. FROM + N - 1
//   topics N           answers when others have subscribed to N topics
//   expect N           answers that it does, and again when N publications more have come, each the next one
//   publish N BATCH    publishes as many, so many in a turn; answers when they were sent
//   track N            is present with N keys
//   present N          answers when N keys are present, with the milliseconds that took
//   rekey N            says something else of N keys
//   serve        serves the name `echo`
//   ask N        asks whoever does, one time after the other, N times; answers when it has each number back
//   takes, gives       subscribes to what is published, and to what is said of that
//   listeners N        has N actors subscribe, too
//   heard              answers with how many publications these have got
//   resident           answers with the bytes that it has in memory
//
// Publications have 100 bytes, which begin with their number. At most `window` of them are on their way: who takes them says
// what it has.

#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/actors/topics.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/presence.hpp>
#include <troupe/nats_backplane/nats_backplane.hpp>
#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/listen_ssl.hpp>
#include <troupe/runtime/runtime.hpp>

#include "process.hpp"
#include "tls_identity.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t window = 20'000;
constexpr std::size_t length = 100;

void answer(const std::string& text = "ok") {
  std::puts(text.c_str());
  std::fflush(stdout);
}

/// What sends, and what is sent, in both kinds.
class side {
public:
  virtual ~side() = default;

  /// Sends one.
  virtual void send_one(std::string_view bytes) = 0;

  /// Says that so many have come.
  virtual void acknowledge(std::uint64_t count) = 0;

  /// Calls `fn` in the next turn.
  virtual void next_turn(std::function<void()> fn) = 0;

  void publish(std::uint64_t count, std::uint64_t batch) {
    end_ = sent_ + count;
    batch_ = batch;
    go_on();
  }
  void expect(std::uint64_t count) {
    wanted_ = taken_ + count;
    answer("expecting");
  }

protected:
  void took(const char* bytes, std::size_t size) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes, sizeof number);
    if (size != length || number != taken_) {
      answer("wrong");
      std::_Exit(1);
    }
    if (++taken_ % (window / 4) == 0)
      acknowledge(taken_);
    if (taken_ == wanted_)
      answer();
  }
  void acknowledged(std::uint64_t count) {
    acknowledged_ = count;
    if (waits_) {
      waits_ = false;
      go_on();
    }
  }

private:
  void go_on() {
    for (std::uint64_t i = 0; i < batch_ && sent_ < end_; ++i) {
      std::memcpy(bytes_.data(), &sent_, sizeof sent_);
      send_one(bytes_);
      ++sent_;
    }
    if (sent_ == end_)
      return answer();
    if (sent_ - acknowledged_ + batch_ > window)
      waits_ = true;
    else
      next_turn([this] { go_on(); });
  }

  std::string bytes_ = std::string(length, 'x');
  std::uint64_t sent_ = 0, end_ = 0, batch_ = 0, acknowledged_ = 0;
  std::uint64_t taken_ = 0, wanted_ = 0;
  bool waits_ = false;
};

/// Counts what it gets.
class listener : public troupe::pinned_actor {
public:
  listener(caf::actor_config& cfg, std::uint64_t& heard) : pinned_actor(cfg), heard_(heard) {}
  caf::behavior make_behavior() override {
    return {[this](const troupe::published& p) {
      heard_ += p.bytes.size() == length ? 1 : 0;
    }};
  }

private:
  std::uint64_t& heard_;
};

using ask_atom = caf::atom_constant<caf::atom("ask")>;

/// Answers with what it is asked.
class echo : public troupe::pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](ask_atom, std::string text) {
      return text;
    }};
  }
};

class node : public troupe::pinned_actor, public side {
public:
  node(caf::actor_config& cfg, troupe::cluster& of)
    : node(cfg, of.home(), troupe::topics{of}, &of) {}
  node(caf::actor_config& cfg, troupe::runtime& rt) : node(cfg, rt, troupe::topics{rt}, nullptr) {}
  caf::behavior make_behavior() override {
    return {[this](const troupe::published& p) {
              const auto bytes = p.bytes.text();
              if (p.from == acks_)
                acknowledged(std::stoull(std::string{bytes}));
              else
                took(bytes.data(), bytes.size());
            },
            [this](const std::string& line) {
              told(line);
            }};
  }
  void send_one(std::string_view bytes) override { room_.publish(bytes); }
  void acknowledge(std::uint64_t count) override { acks_.publish(std::to_string(count)); }
  void next_turn(std::function<void()> fn) override { call_later(0s, std::move(fn)); }

private:
  node(caf::actor_config& cfg, troupe::runtime& rt, troupe::topics rooms, troupe::cluster* of)
    : pinned_actor(cfg), rt_(rt), cluster_(of), rooms_(std::move(rooms)), room_(rooms_.get("room")),
      acks_(rooms_.get("acks")) {
    if (of != nullptr)
      here_.emplace(*of);
  }

  void told(const std::string& line) {
    std::istringstream in{line};
    std::string what;
    std::uint64_t n = 0, m = 0;
    in >> what >> n >> m;
    if (what == "nodes") {
      when([this, n] {
        std::size_t up = 0;
        for (const auto& other : cluster_->nodes())
          up += other.state == troupe::node_state::up ? 1 : 0;
        return up >= n;
      });
    } else if (what == "takes") {
      room_.subscribe(this);
      answer();
    } else if (what == "gives") {
      acks_.subscribe(this);
      answer();
    } else if (what == "subscribe") {
      for (std::uint64_t i = n; i < n + m; ++i)
        rooms_.get("topic " + std::to_string(i)).subscribe(this);
      answer();
    } else if (what == "topics") {
      when([this, n] { return cluster_->topics_elsewhere() >= n; });
    } else if (what == "serve") {
      echo_ = rt_.spawn_on<echo>(0);
      cluster_->serve("echo", echo_);
      answer();
    } else if (what == "ask") {
      when(
        [this, n] {
          const bool there = cluster_->actor("echo").is_served();
          if (there)
            ask_on(n);
          return there;
        },
        false);
    } else if (what == "expect") {
      expect(n);
    } else if (what == "publish") {
      publish(n, m);
    } else if (what == "track") {
      for (std::uint64_t i = 0; i < n; ++i)
        here_->track(*this, "hall", key(i), "here");
      answer();
    } else if (what == "rekey") {
      for (std::uint64_t i = 0; i < n; ++i)
        here_->track(*this, "hall", key(i), "gone" + std::to_string(m));
      answer();
    } else if (what == "present") {
      when([this, n] { return here_->count("hall") >= n; });
    } else if (what == "says") { // the last key says what `rekey` has told
      when([this, n, m] {
        const auto all = here_->list("hall", n);
        return all.size() == n && all.back().meta == "gone" + std::to_string(m);
      });
    } else if (what == "listeners") {
      for (std::uint64_t i = 0; i < n; ++i) {
        listeners_.push_back(rt_.spawn_on<listener>(0, std::ref(heard_)));
        room_.subscribe(listeners_.back());
      }
      answer();
    } else if (what == "heard") {
      answer(std::to_string(heard_));
    } else if (what == "resident") {
      ::malloc_trim(0);
      answer(std::to_string(static_cast<std::uint64_t>(bench::resident())));
    } else {
      answer("what?");
    }
  }

  static std::string key(std::uint64_t i) {
    auto digits = std::to_string(i);
    return "user " + std::string(7 - digits.size(), '0') + digits;
  }

  void ask_on(std::uint64_t left) {
    if (left == 0)
      return answer();
    std::string text(length, 'x');
    std::memcpy(text.data(), &left, sizeof left);
    troupe::ask<std::string>(*this, cluster_->actor("echo"), 5s, ask_atom::value, text)
      .add_callbacks(
        [this, left, text](const std::string& got) {
          if (got == text)
            return ask_on(left - 1);
          answer("wrong");
        },
        [](const troupe::failure& why) { answer(why.message()); });
  }

  // Answers, if it should, once `fn` is true. Looking costs something, so not too often.
  void when(std::function<bool()> fn, bool answers = true) {
    if (!fn())
      return (void)call_later(5ms, [this, fn = std::move(fn), answers] { when(fn, answers); });
    if (answers)
      answer();
  }

  troupe::runtime& rt_;
  troupe::cluster* cluster_; // or null
  troupe::topics rooms_;
  std::optional<troupe::presence> here_;
  troupe::topic room_;
  troupe::topic acks_;
  std::vector<caf::actor> listeners_;
  caf::actor echo_;
  std::uint64_t heard_ = 0;
};

class framed : public troupe::protocol, public side {
public:
  framed(caf::actor_config& cfg, framed*& current) : protocol(cfg), current_(current) {}
  void connection_made() override {
    current_ = this;
    answer("connected");
  }
  void data_received(troupe::bytes_view data) override {
    auto text = troupe::as_text(data);
    while (!text.empty()) {
      if (part_.empty() && text.size() >= 4 + length) { // most of them
        take(text.data());
        text.remove_prefix(4 + length);
        continue;
      }
      const auto more = std::min(text.size(), 4 + length - part_.size());
      part_.append(text.substr(0, more));
      text.remove_prefix(more);
      if (part_.size() == 4 + length)
        take(std::exchange(part_, {}).data());
    }
  }
  void send_one(std::string_view bytes) override { frame(bytes, 0); }
  void acknowledge(std::uint64_t count) override {
    std::string bytes(length, 'a');
    std::memcpy(bytes.data(), &count, sizeof count);
    frame(bytes, 1);
  }
  void next_turn(std::function<void()> fn) override { call_later(0s, std::move(fn)); }

private:
  void frame(std::string_view bytes, std::uint32_t kind) {
    const char head[4] = {static_cast<char>(kind), 0, 0, static_cast<char>(bytes.size())};
    transport().write_sequence({std::string_view{head, 4}, bytes});
  }
  void take(const char* bytes) {
    if (bytes[0] == 0)
      return took(bytes + 4, static_cast<std::size_t>(bytes[3]));
    std::uint64_t count = 0;
    std::memcpy(&count, bytes + 4, sizeof count);
    acknowledged(count);
  }

  framed*& current_;
  std::string part_;
};

/// Hands each line of standard input to `fn`, on loop 0; its end ends the process.
std::thread reads_lines(troupe::runtime& rt, std::function<void(const std::string&)> fn) {
  return std::thread{[&rt, fn = std::move(fn)] {
    for (std::string line; std::getline(std::cin, line);)
      rt.reactor().call_from_thread([fn, line] { fn(line); });
    rt.reactor().call_from_thread([&rt] { rt.stop(); });
  }};
}

int run_frames(troupe::runtime& rt, const std::string& what, int port) {
  framed* current = nullptr;
  std::optional<bench::identity_file> identity;
  if (what == "listen") {
    identity.emplace();
    const auto listening = troupe::listen_ssl(
      rt, 0, troupe::factory::for_protocol<framed>(std::ref(current)),
      troupe::tls_server_context{{.identities = {{.certificate_file = identity->path()}}}});
    answer(std::to_string(listening.get_host().port()));
  } else {
    troupe::connect_ssl(rt, "127.0.0.1", static_cast<std::uint16_t>(port),
                        troupe::client_factory::for_protocol<framed>(std::ref(current)),
                        troupe::tls_client_context{{.verify = false}});
  }
  auto reader = reads_lines(rt, [&current](const std::string& line) {
    std::istringstream in{line};
    std::string verb;
    std::uint64_t n = 0, m = 0;
    in >> verb >> n >> m;
    current->enter([&] { verb == "expect" ? current->expect(n) : current->publish(n, m); });
  });
  const auto code = rt.run().exit_code();
  reader.join();
  return code;
}

int run_node(troupe::runtime& rt, const std::string& name, const std::string& url) {
  int code = 0;
  std::optional<std::thread> reader;
  {
    troupe::nats_options nats;
    nats.servers = {url};
    troupe::cluster_options options;
    options.name = name;
    options.cluster = "bench";
    options.via = std::make_shared<troupe::nats_backplane>(std::move(nats));
    options.list_limit = options.max_entries;
    troupe::cluster cluster{rt, std::move(options)};
    {
      const auto self = rt.spawn_on<node>(0, std::ref(cluster));
      reader.emplace(
        reads_lines(rt, [self](const std::string& line) { caf::anon_send(self, line); }));
      code = rt.run().exit_code();
      reader->join();
    }
  }
  return code;
}

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  if (what == "plain") {
    const auto self = rt.spawn_on<node>(0, std::ref(rt));
    auto reader = reads_lines(rt, [self](const std::string& line) { caf::anon_send(self, line); });
    const auto code = rt.run().exit_code();
    reader.join();
    return code;
  }
  if (what == "cluster" && argc == 4)
    return run_node(rt, argv[2], argv[3]);
  if (what == "listen" || (what == "connect" && argc == 3))
    return run_frames(rt, what, argc == 3 ? std::atoi(argv[2]) : 0);
  return 2;
}
