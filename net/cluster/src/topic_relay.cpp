#include "topic_relay.hpp"

#include <utility>

#include "cluster_core.hpp"

namespace troupe::detail {

/// What one loop has published in its turn.
class topic_relay::outgoing final : public end_of_turn {
public:
  outgoing(topic_relay& relay, event_loop& on) : relay_(relay), on_(on) {}
  ~outgoing() = default;

  void add(const topic& what, bytes_view bytes) {
    if (!relay_held_) {
      relay_held_ = relay_.shared_from_this();
      on_.before_flush(*this);
    }
    if (now_.topics.empty() || now_.topics.back() != what)
      now_.topics.push_back(what);
    now_.all.push_back({now_.topics.size() - 1, bytes.size()});
    now_.bytes += as_text(bytes);
  }

  void hand_over() {
    if (now_.all.empty())
      return;
    auto what = std::make_unique<publications>();
    std::swap(*what, now_);
    now_.reserve_as(*what);
    relay_.home_.post([relay = relay_.shared_from_this(), what = std::move(what)] {
      if (relay->core_ != nullptr)
        what->carry(*relay->core_);
    });
  }

  void turn_ended() noexcept override {
    const auto held = std::exchange(relay_held_, nullptr);
    hand_over();
  }

private:
  struct publications {
    struct one {
      std::size_t topic, size;
    };
    std::vector<topic> topics;
    std::vector<one> all;
    std::string bytes;

    void carry(cluster_core& core) const {
      auto rest = as_bytes(bytes);
      for (const auto& next : all) {
        core.carry(topics[next.topic], rest.first(next.size));
        rest = rest.subspan(next.size);
      }
    }

    // A loop publishes about as much in its next turn, unless that was uncommonly much.
    void reserve_as(const publications& last) {
      constexpr std::size_t uncommon = std::size_t{16} * 1024;
      if (last.bytes.size() <= uncommon) {
        all.reserve(last.all.size());
        bytes.reserve(last.bytes.size());
      }
    }
  };

  topic_relay& relay_;
  event_loop& on_;
  publications now_;
  std::shared_ptr<topic_relay> relay_held_; // as long as the loop is to call `turn_ended`
};

topic_relay::topic_relay(loop_scheduler& loops, cluster_core& core)
  : home_(loops.loop(0)), core_(&core) {
  for (std::size_t i = 0; i < loops.size(); ++i)
    outgoing_.push_back(std::make_unique<outgoing>(*this, loops.loop(i)));
}

topic_relay::~topic_relay() = default;

void topic_relay::carry(const topic& what, bytes_view bytes) {
  auto* const here = event_loop::current();
  if (here == &home_ && here->keeps_order()) {
    if (core_ != nullptr)
      core_->carry(what, bytes);
    return;
  }
  if (here != nullptr && here != &home_ && &here->scheduler() == &home_.scheduler()) {
    auto& turn = *outgoing_[here->index()];
    if (!here->runs_floating())
      return turn.add(what, bytes);
    turn.hand_over(); // what the loop has published so far came before
  }
  home_.post([self = shared_from_this(), what, text = std::string{as_text(bytes)}] {
    if (self->core_ != nullptr)
      self->core_->carry(what, as_bytes(text));
  });
}

void topic_relay::subscribers_changed(const std::string& name) noexcept {
  home_.post([self = shared_from_this(), name] {
    if (self->core_ != nullptr)
      self->core_->look_at(name);
  });
}

} // namespace troupe::detail
