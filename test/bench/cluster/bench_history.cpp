// A node that keeps messages, for cluster_bench.py, which tells it what to do by lines on standard input; it answers each on standard output.
//
//   bench_history jetstream URL   keeps them in JetStream
//   bench_history sqlite FILE     keeps them in a database
//
//   append N M    appends N messages, of which at most M wait for the store; answers when it has all
//   heard         answers with how many messages have come live, each the next one
//   resume N M    resumes N times behind all but the last M messages; answers when each time these came, from memory, and no others
//
// Messages have 100 bytes, which begin with their number.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/history/kept_topics.hpp>
#include <troupe/jetstream_history/jetstream_history.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/sqlite_history/sqlite_history.hpp>

namespace {

using namespace std::chrono_literals;

constexpr std::size_t length = 100;

void answer(const std::string& text = "ok") {
  std::puts(text.c_str());
  std::fflush(stdout);
}

void must(bool what, const char* else_say) {
  if (what)
    return;
  answer(else_say);
  std::_Exit(1);
}

class keeper : public troupe::pinned_actor {
public:
  keeper(caf::actor_config& cfg, troupe::kept_topics& rooms)
    : pinned_actor(cfg), rooms_(rooms), room_(rooms.get("room")) {}
  caf::behavior make_behavior() override {
    return {[this](const std::string& line) {
      told(line);
    }};
  }

private:
  void told(const std::string& line) {
    std::istringstream in{line};
    std::string what;
    std::uint64_t n = 0, m = 0;
    in >> what >> n >> m;
    if (what == "ready")
      look();
    else if (what == "append")
      append(n, m);
    else if (what == "heard")
      answer(std::to_string(heard_));
    else if (what == "resume")
      resume(n, m);
    else
      answer("what?");
  }

  void look() {
    if (!rooms_.ready())
      return (void)call_later(5ms, [this] { look(); });
    room_
      .resume(this, {}, 0,
              [this](const troupe::kept_message& kept) {
                const auto text = kept.bytes.text();
                std::uint64_t number = 0;
                std::memcpy(&number, text.data(), sizeof number);
                must(text.size() == length && number == heard_++, "wrong");
                places_.push_back(kept.at);
                if (end_ != 0 && kept_ == end_ && heard_ == end_)
                  answer();
              })
      .add_callback([](const troupe::resumed&) { answer(); });
  }

  void append(std::uint64_t count, std::uint64_t most) {
    end_ = sent_ + count;
    most_ = most;
    go_on();
  }
  void go_on() {
    for (; sent_ < end_ && sent_ - kept_ < most_; ++sent_) {
      std::memcpy(bytes_.data(), &sent_, sizeof sent_);
      room_.append(*this, bytes_)
        .add_callbacks(
          [this](const troupe::history_position&) {
            if (++kept_ == end_ && heard_ == end_)
              return answer();
            go_on();
          },
          [](const troupe::failure&) { must(false, "not kept"); });
    }
  }

  // Each time another place, so that nothing is there already.
  void resume(std::uint64_t count, std::uint64_t missed) {
    const auto since = places_.at(places_.size() - missed - 1);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t came = 0;
      bool complete = false;
      room_.resume(this, since, missed, [&](const troupe::kept_message&) { ++came; })
        .add_callback([&](const troupe::resumed& r) { complete = r.complete; });
      must(complete && came == missed, "incomplete");
    }
    room_.leave(*this);
    answer();
  }

  troupe::kept_topics& rooms_;
  const troupe::kept_topic room_;
  std::string bytes_ = std::string(length, 'x');
  std::vector<troupe::history_position> places_;
  std::uint64_t sent_ = 0, end_ = 0, most_ = 0, kept_ = 0, heard_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  troupe::history_ref store;
  if (what == "jetstream") {
    troupe::jetstream_history_options options;
    options.nats.servers = {argv[2]};
    store = std::make_shared<troupe::jetstream_history>(std::move(options));
  } else if (what == "sqlite") {
    troupe::sqlite_history_options options;
    options.file = argv[2];
    store = std::make_shared<troupe::sqlite_history>(std::move(options));
  } else {
    return 2;
  }
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  troupe::kept_topics rooms{rt, store};
  const auto self = rt.spawn_on<keeper>(0, std::ref(rooms));
  std::thread reader{[&rt, self] {
    for (std::string line; std::getline(std::cin, line);)
      caf::anon_send(self, line);
    rt.reactor().call_from_thread([&rt] { rt.stop(); });
  }};
  const auto code = rt.run().exit_code();
  reader.join();
  return code;
}
