#include <troupe/cluster/memory_backplane.hpp>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace {

/// A node that is attached, as seen by those that send to it.
struct site {
  std::string cluster;
  std::string node;
  event_loop& home;
  backplane_events* events; // null once it is detached; of the thread of `home`
};

} // namespace

/// Who is attached. Whoever is in the list has loops that one may post to.
struct memory_backplane::exchange {
  std::mutex mutex;
  std::vector<std::shared_ptr<site>> sites;

  // Posting under the lock: whoever is being detached waits, and then nothing is posted to it any more.
  template <class Wanted>
  void deliver(const site& from, bytes_view message, Wanted wanted) {
    const std::lock_guard lock{mutex};
    shared_bytes copy;
    for (const auto& to : sites) {
      if (to.get() == &from || to->cluster != from.cluster || !wanted(*to))
        continue;
      if (copy.empty())
        copy = shared_bytes{message};
      to->home.post([to, sender = from.node, copy] {
        if (to->events != nullptr)
          to->events->backplane_received(sender, copy.view());
      });
    }
  }
};

class memory_backplane::link final : public backplane_link {
public:
  link(std::shared_ptr<exchange> all, const backplane_site& where, backplane_events& events)
    : exchange_(std::move(all)),
      site_(std::make_shared<site>(
        site{where.cluster, where.node, where.rt.scheduler().loop(0), &events})) {
    const std::lock_guard lock{exchange_->mutex};
    exchange_->sites.push_back(site_);
    site_->home.post([here = site_] {
      if (here->events != nullptr)
        here->events->backplane_up();
    });
  }

  ~link() override { detach(); }

  void send(std::string_view node, bytes_view message) override {
    exchange_->deliver(*site_, message, [node](const site& to) { return to.node == node; });
  }
  void send_all(bytes_view message) override {
    exchange_->deliver(*site_, message, [](const site&) { return true; });
  }
  [[nodiscard]] std::size_t unsent() const override { return 0; }
  [[nodiscard]] std::size_t longest_message() const override { return SIZE_MAX; }
  [[nodiscard]] deferred<void> close() override {
    detach();
    return succeed();
  }

private:
  void detach() {
    site_->events = nullptr;
    const std::lock_guard lock{exchange_->mutex};
    std::erase(exchange_->sites, site_);
  }

  const std::shared_ptr<exchange> exchange_;
  const std::shared_ptr<site> site_;
};

memory_backplane::memory_backplane() : exchange_(std::make_shared<exchange>()) {}
memory_backplane::~memory_backplane() = default;

std::unique_ptr<backplane_link> memory_backplane::attach(const backplane_site& where,
                                                         backplane_events& events) {
  return std::make_unique<link>(exchange_, where, events);
}

} // namespace troupe
