#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "published_message.hpp"
#include "topic_state.hpp"

namespace troupe::detail {

namespace {

// Longer ones are made once, for all loops; shorter ones at each, where they cost less than what is shared.
constexpr std::size_t long_publication = 1024;

// What is kept allocated between two batches: as much as such a batch takes, if that is not too much.
constexpr std::size_t spare_bytes = std::size_t{512} * 1024;

// After so many deliveries there is a look at the time.
constexpr std::size_t deliveries_between_looks = 64;

/// One publication.
struct arrived {
  topic_state* on = nullptr;
  std::size_t at = 0;     // where its bytes begin in the batch's
  shared_bytes whole;     // or these are they
  std::uint32_t size = 0; // of those in the batch
  bool written = true;    // the transports of loop 0 have it
};

/// What was added in a turn of loop 0. It does not change once a loop has it.
struct batch {
  std::vector<caf::intrusive_ptr<topic_state>> topics; // held for as long as it takes
  std::vector<arrived> all;
  std::string bytes;

  [[nodiscard]] bytes_view view_of(const arrived& one) const {
    return as_bytes(std::string_view{bytes}.substr(one.at, one.size));
  }
  [[nodiscard]] shared_bytes bytes_of(const arrived& one) const {
    return one.whole.empty() ? shared_bytes{view_of(one)} : one.whole;
  }
  [[nodiscard]] bool is_worth_keeping() const noexcept {
    return bytes.capacity() <= std::min(spare_bytes, 4096 + 8 * bytes.size())
           && all.capacity() <= 64 + 8 * all.size() && topics.capacity() <= 4096;
  }
  void clear() {
    topics.clear();
    all.clear();
    bytes.clear();
  }
};

/// What waits for one loop. A function of its own delivers it, of which one is on its way at a time.
struct lane {
  explicit lane(event_loop& of) : home(of) {}
  event_loop& home;
  std::mutex mutex;
  std::deque<std::shared_ptr<const batch>> waiting; // guarded
  bool delivers = false;                            // likewise
  std::size_t next = 0;                             // of the first one; of the loop's thread
};

} // namespace

/// Outlives its `topic_arrivals` for as long as something is to be delivered.
class arriving_publications final : public std::enable_shared_from_this<arriving_publications> {
public:
  explicit arriving_publications(loop_scheduler& all) : home_(all.loop(0)), wanted_(all.size(), 0) {
    for (std::size_t i = 0; i < all.size(); ++i)
      lanes_.push_back(std::make_unique<lane>(all.loop(i)));
  }

  void add(topic_state& on, bytes_view bytes) {
    if (!on.alive())
      return;
    shared_bytes made;
    caf::intrusive_ptr<topic_state> held;
    const bool in_place = home_.is_current() && home_.keeps_order() && unwritten_ == 0;
    bool waits = false;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (!on.any(i))
        continue;
      if (i == 0 && in_place) {
        if (on.has_transports(home_)) {
          made = shared_bytes{bytes};
          held.reset(&on); // a subscriber's producer may drop the last handle
          on.deliver_to_transports(home_, made, nullptr);
        }
        if (!on.has_readers(home_))
          continue;
      } else if (i == 0) {
        ++unwritten_;
      }
      wanted_[i] = 1;
      waits = true;
    }
    if (!waits)
      return;
    if (!open_)
      open_ = spare_ ? std::exchange(spare_, nullptr) : std::make_shared<batch>();
    if (open_->topics.empty() || open_->topics.back() != &on)
      open_->topics.emplace_back(&on);
    if (made.empty() && bytes.size() > long_publication)
      made = shared_bytes{bytes};
    auto& one = open_->all.emplace_back();
    one.on = &on;
    one.at = open_->bytes.size();
    one.written = in_place;
    if (made.empty()) {
      one.size = static_cast<std::uint32_t>(bytes.size());
      open_->bytes += as_text(bytes);
    } else {
      one.whole = std::move(made);
    }
  }

  // What comes until this loop gets to it, comes with it.
  void hand_over() {
    if (open_ && !std::exchange(closes_, true))
      home_.post([self = shared_from_this()] { self->close(); });
  }

private:
  void close() {
    closes_ = false;
    std::shared_ptr<batch> all = std::exchange(open_, nullptr);
    bool alone = true;
    for (std::size_t i = 1; i < lanes_.size(); ++i)
      if (std::exchange(wanted_[i], char{0})) {
        alone = false;
        if (give(*lanes_[i], all))
          post(*lanes_[i]);
      }
    if (!std::exchange(wanted_[0], char{0}) || !give(*lanes_[0], all))
      return;
    deliver(*lanes_[0]);
    if (alone && all.use_count() == 1 && all->is_worth_keeping()) {
      all->clear();
      spare_ = std::move(all);
    }
  }

  // Returns whether nobody is about to deliver it.
  static bool give(lane& to, std::shared_ptr<const batch> what) {
    const std::lock_guard lock{to.mutex};
    to.waiting.push_back(std::move(what));
    return !std::exchange(to.delivers, true);
  }

  void post(lane& at) {
    at.home.post([self = shared_from_this(), &at] { self->deliver(at); });
  }

  // As far as there is time; the rest in a later turn.
  void deliver(lane& at) {
    published_message message;
    std::size_t deliveries = 0;
    for (;;) {
      std::shared_ptr<const batch> done; // destroyed behind the lock
      const batch* now = nullptr;
      {
        const std::lock_guard lock{at.mutex};
        if (at.next != 0 && at.next == at.waiting.front()->all.size()) {
          done = std::move(at.waiting.front());
          at.waiting.pop_front();
          at.next = 0;
        }
        if (at.waiting.empty()) {
          at.delivers = false;
          return;
        }
        now = at.waiting.front().get();
      }
      try {
        while (at.next < now->all.size()) {
          deliveries += deliver(at, *now, now->all[at.next++], message);
          if (deliveries >= deliveries_between_looks) {
            deliveries = 0;
            if (at.home.should_yield())
              return post(at);
          }
        }
      } catch (...) { // no memory
        post(at);
        throw;
      }
    }
  }

  // Returns about how many got it.
  std::size_t deliver(lane& at, const batch& of, const arrived& one, published_message& message) {
    auto& on = *one.on;
    const auto* const lists = on.here(at.home);
    const bool write = &at.home != &home_ || !one.written;
    if (write && &at.home == &home_)
      --unwritten_;
    if (lists == nullptr || !on.alive())
      return 1;
    const bool writes = write && !lists->transports.empty();
    if (!writes && lists->readers.empty())
      return 1;
    if (!writes && one.whole.empty()) {
      on.deliver_to_readers(at.home, of.view_of(one), message);
    } else {
      auto bytes = of.bytes_of(one);
      if (writes)
        on.deliver_to_transports(at.home, bytes, nullptr);
      on.deliver_to_readers(at.home, std::move(bytes), message, nullptr);
    }
    return 1 + lists->readers.size() + (writes ? lists->transports.size() : 0);
  }

  event_loop& home_;
  std::vector<std::unique_ptr<lane>> lanes_; // by number of loop
  std::vector<char> wanted_;                 // which loops the open batch is for
  std::shared_ptr<batch> open_;              // null if nothing was added
  std::shared_ptr<batch> spare_;
  bool closes_ = false; // a function that hands the open one over is on its way
  std::size_t unwritten_ =
    0; // that transports of loop 0 wait for, so that nothing is written before them
};

} // namespace troupe::detail

namespace troupe {

topic_arrivals::topic_arrivals(runtime& rt)
  : state_(std::make_shared<detail::arriving_publications>(rt.scheduler())) {}

topic_arrivals::~topic_arrivals() = default;

void topic_arrivals::add(const topic& what, bytes_view bytes) {
  state_->add(topic_sharing::state_of(what), bytes);
}

void topic_arrivals::hand_over() {
  state_->hand_over();
}

} // namespace troupe
