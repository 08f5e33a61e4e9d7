#include <troupe/testing/simulated_backplane.hpp>

#include <algorithm>
#include <stdexcept>

namespace troupe::testing {

struct simulated_backplane::site {
  std::uint64_t number;
  std::string cluster;
  std::string node;
  backplane_events* events; // null once it is detached
  bool up = false;
  bool plugged = true;
  bool held = false;
  bool killed = false;
  std::deque<delivery> waiting; // while held
};

class simulated_backplane::link final : public backplane_link {
public:
  link(simulated_backplane& all, std::shared_ptr<site> here) : all_(all), here_(std::move(here)) {}
  ~link() override { detach(); }

  void send(std::string_view node, bytes_view message) override {
    shared_bytes copy;
    for (const auto& to : all_.sites_)
      if (to->node == node)
        all_.send(*here_, to, message, copy);
  }
  void send_all(bytes_view message) override {
    shared_bytes copy;
    for (const auto& to : all_.sites_)
      all_.send(*here_, to, message, copy);
  }
  [[nodiscard]] std::size_t unsent() const override { return 0; }
  [[nodiscard]] std::size_t longest_message() const override { return std::size_t{1} << 20; }
  [[nodiscard]] deferred<void> close() override {
    detach();
    return succeed();
  }

private:
  void detach() {
    here_->events = nullptr;
    here_->waiting.clear(); // each refers to its site
    std::erase(all_.sites_, here_);
  }

  simulated_backplane& all_;
  const std::shared_ptr<site> here_;
};

simulated_backplane::simulated_backplane(std::uint64_t seed) : simulated_backplane(seed, {}) {}
simulated_backplane::simulated_backplane(std::uint64_t seed, conditions at_first)
  : random_(seed), conditions_(at_first) {}
simulated_backplane::~simulated_backplane() = default;

std::unique_ptr<backplane_link> simulated_backplane::attach(const backplane_site& where,
                                                            backplane_events& events) {
  auto made = std::make_shared<site>();
  made->number = next_site_++;
  made->cluster = where.cluster;
  made->node = where.node;
  made->events = &events;
  sites_.push_back(made);
  schedule(made, {}, {}, now_ + latency());
  return std::make_unique<link>(*this, std::move(made));
}

duration simulated_backplane::latency() {
  const auto least = conditions_.least_latency.count();
  const auto span = conditions_.most_latency.count() - least;
  if (span <= 0)
    return conditions_.least_latency;
  return duration{least
                  + static_cast<duration::rep>(random_() % static_cast<std::uint64_t>(span + 1))};
}

void simulated_backplane::send(site& from, const std::shared_ptr<site>& to, bytes_view message,
                               shared_bytes& copy) {
  if (to.get() == &from || to->cluster != from.cluster || !from.up || from.killed)
    return;
  const bool unlucky =
    conditions_.loss > 0 && std::uniform_real_distribution<>{}(random_) < conditions_.loss;
  if (unlucky || !to->up || cuts_.count({from.node, to->node}) != 0) {
    ++lost_;
    return;
  }
  if (copy.empty())
    copy = shared_bytes{message};
  auto& latest = latest_[{from.number, to->number}];
  latest = std::max(latest, now_ + latency()); // never before what was sent before it
  schedule(to, from.node, copy, latest);
}

void simulated_backplane::schedule(const std::shared_ptr<site>& to, std::string from,
                                   shared_bytes message, time_point at) {
  under_way_.push({at, next_sequence_++, to, std::move(from), std::move(message)});
}

void simulated_backplane::advance_to(time_point now) {
  now_ = now;
  while (!under_way_.empty() && under_way_.top().at <= now) {
    const auto next = under_way_.top();
    under_way_.pop();
    if (next.to->held && next.to->events != nullptr)
      next.to->waiting.push_back(next);
    else
      hand_out(next);
  }
}

void simulated_backplane::hand_out(const delivery& what) {
  auto& to = *what.to;
  if (to.events == nullptr || to.killed)
    return;
  if (what.from.empty()) {
    if (to.plugged && !to.up) {
      to.up = true;
      note(to.node + " is up");
      to.events->backplane_up();
    } else if (!to.plugged) {
      note(to.node + " is down");
      to.events->backplane_down({errc::connection_lost, "unplugged by the test"});
    }
    return;
  }
  if (!to.up) {
    ++lost_;
    return;
  }
  ++delivered_;
  note(what.from);
  note(to.node);
  note(what.message.text());
  to.events->backplane_received(what.from, what.message.view());
}

void simulated_backplane::note(std::string_view what) noexcept {
  const auto add = [this](std::uint8_t byte) {
    digest_ = (digest_ ^ byte) * 1099511628211u;
  };
  for (const char c : what)
    add(static_cast<std::uint8_t>(c));
  for (auto t = static_cast<std::uint64_t>(now_.time_since_epoch().count()); t != 0; t >>= 8)
    add(static_cast<std::uint8_t>(t));
}

template <class F>
void simulated_backplane::each(const std::string& node, F fn) {
  for (const auto& one : std::vector{sites_})
    if (one->node == node)
      fn(one);
}

void simulated_backplane::unplug(const std::string& node) {
  each(node, [&](const auto& one) {
    one->up = one->plugged = false;
    schedule(one, {}, {}, now_);
  });
}

void simulated_backplane::plug(const std::string& node) {
  each(node, [&](const auto& one) {
    one->plugged = true;
    schedule(one, {}, {}, now_ + latency());
  });
}

void simulated_backplane::hold(const std::string& node) {
  each(node, [](const auto& one) { one->held = true; });
}

void simulated_backplane::release(const std::string& node) {
  each(node, [this](const auto& one) {
    one->held = false;
    for (const auto& what : std::exchange(one->waiting, {}))
      hand_out(what);
  });
}

void simulated_backplane::kill(const std::string& node) {
  each(node, [](const auto& one) { one->killed = true; });
}

} // namespace troupe::testing
