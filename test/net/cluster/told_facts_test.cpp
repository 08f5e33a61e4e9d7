#include <troupe/cluster/cluster.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Keeps a MiB until the end of a turn, and loses what does not fit, as a connection to a server does.
class narrow_backplane final : public backplane {
public:
  std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                         backplane_events& events) override {
    return std::make_unique<link>(*this, wide_.attach(site, events));
  }
  std::string name() const override { return "narrow"; }
  void drain() { waiting_ = 0; }
  std::size_t lost() const { return lost_; }

private:
  class link final : public backplane_link {
  public:
    link(narrow_backplane& all, std::unique_ptr<backplane_link> wide)
      : all_(all), wide_(std::move(wide)) {}
    void send(std::string_view node, bytes_view message) override {
      if (all_.takes(message.size()))
        wide_->send(node, message);
    }
    void send_all(bytes_view message) override {
      if (all_.takes(message.size()))
        wide_->send_all(message);
    }
    std::size_t unsent() const override { return all_.waiting_; }
    std::size_t longest_message() const override { return std::size_t{1} << 20; }
    deferred<void> close() override { return wide_->close(); }

  private:
    narrow_backplane& all_;
    const std::unique_ptr<backplane_link> wide_;
  };

  bool takes(std::size_t size) {
    if (waiting_ != 0 && waiting_ + size > (std::size_t{1} << 20)) {
      ++lost_;
      return false;
    }
    waiting_ += size;
    return true;
  }

  memory_backplane wide_;
  std::size_t waiting_ = 0;
  std::size_t lost_ = 0;
};

class user final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

struct two_nodes {
  std::shared_ptr<narrow_backplane> wire = std::make_shared<narrow_backplane>();
  manual_runtime rt;
  caf::strong_actor_ptr who = caf::actor_cast<caf::strong_actor_ptr>(rt.spawn_on<user>(0));
  std::optional<troupe::cluster> a, b;

  void start(std::optional<troupe::cluster>& which, const std::string& name) {
    cluster_options options;
    options.name = name;
    options.via = wire;
    options.stop_if_refused = false;
    which.emplace(rt, options);
  }
  void pass(duration span) {
    for (; span > 0ms; span -= 1ms) {
      rt.advance(1ms);
      wire->drain();
    }
  }
  void as_user(const std::function<void(user&)>& fn) {
    basic_actor::run_as(
      who, [&] { fn(static_cast<user&>(*caf::actor_cast<caf::abstract_actor*>(who))); });
    rt.settle();
    wire->drain();
  }
};

std::string room(int i) {
  return "room " + std::to_string(i / 500);
}

} // namespace

TEST_CASE("a node that comes is told all that another one says, however much that is",
          "[cluster][presence]") {
  constexpr int all = 4000;
  two_nodes net;
  net.start(net.a, "a");
  net.pass(1s);
  presence here{*net.a};
  net.as_user([&](user& me) {
    for (int i = 0; i < all; ++i)
      here.track(me, room(i), std::to_string(i), std::string(1000, 'x'));
  });
  net.pass(1s);
  const auto lost = net.wire->lost();
  net.start(net.b, "b");
  presence there{*net.b};
  for (int i = 0; i < 1000 && net.b->nodes().empty(); ++i)
    net.pass(1ms);
  net.pass(3ms);
  std::size_t known = 0;
  for (int i = 0; i < all; i += 500)
    known += there.count(room(i));
  CHECK(known < all); // it is being told: what changes meanwhile it hears of, too
  net.as_user([&](user& me) {
    for (int i = 0; i < all; i += 100) {
      here.untrack(me, room(i), std::to_string(i));
      here.track(me, room(i), std::to_string(i) + " again");
      here.track(me, room(i), std::to_string(i + 1), "another");
    }
  });
  net.pass(2s);
  CHECK(net.wire->lost() == lost);
  for (int i = 0; i < all; i += 500) {
    CHECK(there.count(room(i)) == 500);
    const auto ours = here.list(room(i)), theirs = there.list(room(i));
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t k = 0; k < ours.size(); ++k)
      CHECK((ours[k].key == theirs[k].key && ours[k].meta == theirs[k].meta));
  }
}

TEST_CASE("more changes at once than are kept reach the others, however much that is",
          "[cluster][presence]") {
  constexpr int all = 20'000;
  two_nodes net;
  net.start(net.a, "a");
  net.start(net.b, "b");
  net.pass(3s);
  presence here{*net.a}, there{*net.b};
  net.as_user([&](user& me) {
    for (int i = 0; i < all; ++i)
      here.track(me, room(i), std::to_string(i), std::string(100, 'x'));
  });
  net.pass(200ms); // the changes of 100 ms go together
  CHECK(net.wire->lost() == 0);
  for (int i = 0; i < all; i += 500)
    CHECK(there.count(room(i)) == 500);
}

TEST_CASE("a node that comes is told of all topics, however many these are", "[cluster]") {
  constexpr int all = 10'000;
  two_nodes net;
  net.start(net.a, "a");
  net.pass(1s);
  topics rooms{*net.a};
  const auto reads = caf::actor_cast<caf::actor>(net.who);
  net.as_user([&](user&) {
    for (int i = 0; i < all; ++i)
      rooms.get(std::string(190, 'x') + std::to_string(i)).subscribe(reads);
  });
  net.pass(1s);
  const auto lost = net.wire->lost();
  net.start(net.b, "b");
  net.pass(1s);
  CHECK(net.wire->lost() == lost);
  CHECK(net.b->topics_elsewhere() == static_cast<std::size_t>(all));
}
