// Who may have a node's name, versions that do not fit one another, and options that make no sense.
#include <troupe/cluster/cluster.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/testing/logged_errors.hpp>

#include "support/catch.hpp"
#include "watched_cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// Two nodes, of which the new one does not take the old one's version.
std::pair<cluster_options, cluster_options> two_versions() {
  auto old_one = named("old"), new_one = named("new");
  old_one.via = new_one.via;
  old_one.version = "1.0";
  new_one.version = "2.0";
  new_one.compatible = [](std::string_view theirs) {
    return theirs.substr(0, 2) == "2.";
  };
  return {old_one, new_one};
}

/// Says how long messages may be, and that it is there again.
class changing_backplane final : public backplane {
public:
  std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                         backplane_events& events) override {
    told_ = &events;
    return std::make_unique<link>(*this, wide_.attach(site, events));
  }
  std::string name() const override { return "another server"; }
  void comes_back() { told_->backplane_up(); }
  std::size_t longest = std::size_t{1} << 20;

private:
  class link final : public backplane_link {
  public:
    link(const changing_backplane& all, std::unique_ptr<backplane_link> wide)
      : all_(all), wide_(std::move(wide)) {}
    void send(std::string_view node, bytes_view message) override { wide_->send(node, message); }
    void send_all(bytes_view message) override { wide_->send_all(message); }
    std::size_t unsent() const override { return wide_->unsent(); }
    std::size_t longest_message() const override { return all_.longest; }
    deferred<void> close() override { return wide_->close(); }

  private:
    const changing_backplane& all_;
    const std::unique_ptr<backplane_link> wide_;
  };

  memory_backplane wide_;
  backplane_events* told_ = nullptr;
};

/// A backplane that takes some time, and processes of a name at it.
struct slow_wire {
  explicit slow_wire(duration latency)
    : wire(std::make_shared<simulated_backplane>(
      1, simulated_backplane::conditions{latency, latency, 0})) {
    options.via = wire;
    options.stop_if_refused = false;
  }
  void pass(duration span) {
    for (; span > 0ms; span -= 10ms) {
      rt.in_turn([&] { wire->advance_to(rt.now()); });
      rt.advance(10ms);
    }
  }
  manual_runtime rt;
  std::shared_ptr<simulated_backplane> wire;
  cluster_options options = named("a");
};

} // namespace

TEST_CASE("messages that are too long for a backplane refuse who comes, and not who is there",
          "[cluster]") {
  manual_runtime rt;
  logged_errors errors{rt};
  auto wire = std::make_shared<changing_backplane>();
  auto options = named("a");
  options.via = wire;
  options.stop_if_refused = false;
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms)
      rt.advance(10ms);
  };
  troupe::cluster first{rt, options};
  pass(1s);
  REQUIRE(first.state() == own_state::up);
  wire->longest = 1000;
  rt.in_turn([&] { wire->comes_back(); });
  rt.settle();
  CHECK(first.state() == own_state::up);
  const auto said = errors.flush();
  REQUIRE(said.size() == 1);
  CHECK_THAT(said[0].text, Contains("max_message is 262144") && Contains("will be lost"));
  options.name = "b";
  const troupe::cluster second{rt, options};
  pass(1s);
  CHECK(second.state() == own_state::refused);
  errors.flush();
}

TEST_CASE("a second process of a name is refused, and the first one goes on", "[cluster]") {
  manual_runtime rt;
  auto options = named("a");
  options.stop_if_refused = false;
  troupe::cluster first{rt, options};
  told events;
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms)
      rt.advance(10ms);
  };
  pass(1s);
  troupe::cluster second{rt, options};
  rt.spawn_on<watcher>(0, &second, &events);
  pass(1s);
  CHECK(first.state() == own_state::up);
  CHECK(second.state() == own_state::refused);
  CHECK(events == told{"refused a"});
}

TEST_CASE("a second process whose claim is answered too late is refused all the same",
          "[cluster]") {
  slow_wire t{200ms};
  troupe::cluster first{t.rt, t.options};
  t.pass(4s);
  troupe::cluster second{t.rt, t.options};
  t.pass(2s);
  CHECK(first.state() == own_state::up);
  CHECK(second.state() == own_state::refused);
}

TEST_CASE("what a process that has ended left on its way does not refuse its successor",
          "[cluster]") {
  slow_wire t{1ms};
  std::optional<troupe::cluster> first{std::in_place, t.rt, t.options};
  t.pass(4s);
  troupe::cluster second{t.rt, t.options};
  t.rt.settle();
  t.wire->set_conditions({700ms, 700ms, 0}); // of its claim, and of the other one's last beat
  t.pass(600ms);
  t.rt.in_turn([&] { first.reset(); });
  const auto before = t.wire->delivered();
  t.pass(3s);
  CHECK(t.wire->delivered() > before);
  CHECK(second.state() == own_state::up);
}

TEST_CASE("a process that was stopped while another one took its name gives up, and that one stays",
          "[cluster]") {
  manual_runtime rt;
  auto wire =
    std::make_shared<simulated_backplane>(1, simulated_backplane::conditions{1ms, 1ms, 0});
  auto options = named("a"), of_other = named("b");
  options.via = of_other.via = wire;
  options.stop_if_refused = false;
  const bool hears_first = GENERATE(false, true); // before it sees what time it is
  manual_clock its;
  bool stopped = false;
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms) {
      rt.in_turn([&] {
        wire->advance_to(rt.now());
        if (!stopped)
          its.advance(10ms);
      });
      rt.advance(10ms);
    }
  };
  troupe::cluster other{rt, of_other};
  troupe::cluster first{rt, options, its};
  pass(5s);
  REQUIRE(other.nodes().at(0).incarnation == first.incarnation());
  wire->hold("a");
  stopped = true;
  pass(5s);
  troupe::cluster second{rt, options};
  pass(5s);
  REQUIRE(second.state() == own_state::up);
  stopped = false;
  rt.in_turn([&] {
    if (hears_first)
      wire->release("a");
    its.advance(10s);
    wire->release("a");
  });
  pass(5s);
  CHECK(first.state() == own_state::refused);
  CHECK(second.state() == own_state::up);
  REQUIRE(other.nodes().size() == 1);
  CHECK(other.nodes()[0].state == node_state::up);
  CHECK(other.nodes()[0].incarnation == second.incarnation());
}

TEST_CASE("of two processes that take a name at once, one gets it", "[cluster]") {
  manual_runtime rt;
  auto options = named("a");
  options.stop_if_refused = false;
  troupe::cluster first{rt, options};
  troupe::cluster second{rt, options};
  for (int i = 0; i < 100; ++i)
    rt.advance(10ms);
  CHECK((first.state() == own_state::up) + (second.state() == own_state::up) == 1);
  CHECK((first.state() == own_state::refused) + (second.state() == own_state::refused) == 1);
}

TEST_CASE("of two processes whose claims cross, the older one gets the name", "[cluster]") {
  slow_wire t{200ms};
  troupe::cluster first{t.rt, t.options};
  t.pass(50ms);
  troupe::cluster second{t.rt, t.options};
  t.pass(2s);
  CHECK(first.incarnation() < second.incarnation());
  CHECK(first.state() == own_state::up);
  CHECK(second.state() == own_state::refused);
}

TEST_CASE("a refused node gives up its runtime, with what to do", "[cluster]") {
  auto wire = std::make_shared<memory_backplane>();
  manual_runtime rt, other;
  auto options = named("chat-1");
  options.via = wire;
  troupe::cluster first{rt, options};
  for (int i = 0; i < 100; ++i)
    rt.advance(10ms);
  troupe::cluster second{other, options};
  for (int i = 0; i < 100; ++i) {
    rt.advance(10ms);
    other.advance(10ms);
  }
  CHECK(second.state() == own_state::refused);
  CHECK(other.stop_requested());
  CHECK_FALSE(rt.stop_requested());
  logged_errors errors{other};
  errors.flush();
}

TEST_CASE("versions that do not fit are refused on both sides", "[cluster]") {
  const auto [old_one, new_one] = two_versions();
  manual_runtime rt;
  troupe::cluster a{rt, old_one};
  troupe::cluster b{rt, new_one};
  logged_errors errors{rt};
  for (int i = 0; i < 100; ++i)
    rt.advance(10ms);
  REQUIRE(b.nodes().size() == 1);
  CHECK(b.nodes()[0].state == node_state::refused);
  const auto logged = errors.flush("refuses us");
  REQUIRE(logged.size() == 1);
  CHECK_THAT(logged[0].text, Contains("'1.0'") && Contains("'2.0'"));
}

TEST_CASE("a node that comes later hears that it is refused, too, whenever that is", "[cluster]") {
  const auto later = GENERATE(range(1000, 1500, 50)); // somewhere between two beats
  const auto [old_one, new_one] = two_versions();
  manual_runtime rt;
  troupe::cluster b{rt, new_one};
  const auto pass = [&](duration span) {
    for (; span > 0ms; span -= 10ms)
      rt.advance(10ms);
  };
  pass(std::chrono::milliseconds(later));
  troupe::cluster a{rt, old_one};
  logged_errors errors{rt};
  pass(1200ms); // the other one's first beat, and ours that follows
  const auto logged = errors.flush("refuses us");
  REQUIRE(logged.size() == 1);
  CHECK_THAT(logged[0].text, Contains("'1.0'") && Contains("'2.0'"));
}

TEST_CASE("options that make no sense are refused, with what to do", "[cluster]") {
  manual_runtime rt;
  const auto refused = [&](auto change) -> std::string {
    auto options = named("a");
    change(options);
    try {
      troupe::cluster refused_one{rt, options};
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "nothing";
  };
  using o = cluster_options;
  CHECK(refused([](o&) {}) == "nothing");
  for (const auto* name : {"", "a b", "a.b", "caf\xc3\xa9", "a*"})
    CHECK_THAT(refused([&](o& x) { x.name = name; }),
               Contains("cluster_options: name is") && Contains("1 to 64 letters"));
  CHECK_THAT(refused([](o& x) { x.name = std::string(65, 'a'); }), Contains("1 to 64"));
  CHECK_THAT(refused([](o& x) { x.cluster = "a/b"; }), Contains("cluster is 'a/b'"));
  CHECK_THAT(refused([](o& x) { x.via = nullptr; }),
             Contains("via is empty") && Contains("memory"));
  CHECK_THAT(refused([](o& x) { x.heartbeat = 0ms; }), Contains("heartbeat is 0 ms"));
  CHECK_THAT(refused([](o& x) { x.down_after = 1s; }),
             Contains("at least three heartbeats, 1500 ms"));
  CHECK_THAT(refused([](o& x) { x.isolation_hold = -1s; }), Contains("isolation_hold"));
  CHECK_THAT(refused([](o& x) { x.forget_after = 1s; }), Contains("forget_after is 1000 ms"));
  CHECK_THAT(refused([](o& x) { x.max_message = 0; }), Contains("max_message is 0"));
  CHECK_THAT(refused([](o& x) { x.max_unsent = 1000; }), Contains("max_unsent is 1000"));
  CHECK_THAT(refused([](o& x) { x.max_topics = 0; }), Contains("max_topics"));
  CHECK_THAT(refused([](o& x) { x.version = std::string(65, '1'); }), Contains("version has 65"));
}
