#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/leases/leases.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/loop_counting.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/unique_function.hpp>

#include "lease_claim.hpp"

namespace troupe::detail {

class lease_core;

/// One who asks for a lease, and has it.
struct lease_state : std::enable_shared_from_this<lease_state> {
  std::string name;
  std::weak_ptr<lease_core> core;

  // any thread
  std::atomic<std::uint64_t> token{0};
  std::atomic<duration::rep> until{0}; // of the steady clock; 0: not held
  std::atomic<bool> released{false};   // by its owner

  // loop 0
  unique_function<void(failure)> answer{}; // nothing wrong: it is held
  unique_function<void(const failure&)> lost{};
  time_point deadline = time_point::max();

  // any thread
  void release() noexcept;
  void abandon() noexcept;
};

/// What `leases` refer to: who asks for which lease, and the store's link.
///
/// Thread: loop 0, but for what says otherwise.
class lease_core final : public std::enable_shared_from_this<lease_core> {
public:
  lease_core(runtime& rt, lease_store_ref store, leases_options options);
  ~lease_core();

  void start();
  void end();
  deferred<void> give_back();

  void acquire(const std::shared_ptr<lease_state>& who);
  void released(const std::shared_ptr<lease_state>& who);
  void abandoned(const std::shared_ptr<lease_state>& who);

  // -- any thread -------------------------------------------------------------------------------

  [[nodiscard]] const leases_options& options() const noexcept { return options_; }
  [[nodiscard]] const std::string& holder() const noexcept { return who_; }
  [[nodiscard]] leases_counters counters() const noexcept;
  [[nodiscard]] bool runs() const noexcept { return alive_->load(); }
  [[nodiscard]] time_point time() const noexcept { return rt_.scheduler().loop(0).time(); }

  /// Runs `fn(core)` on loop 0: now if this is it.
  template <class F>
  void on_loop_0(F fn) {
    if (!alive_->load())
      return;
    auto& first = rt_.scheduler().loop(0);
    if (first.is_current())
      fn(*this);
    else
      first.post([self = shared_from_this(), fn = std::move(fn)]() mutable { fn(*self); });
  }

private:
  struct seat { // of a name
    std::string name;
    std::deque<std::shared_ptr<lease_state>> queue{}; // the first one is at it
    std::optional<lease_claim> claim{};
    std::uint64_t asked = 0; // of the store, so far
    delayed_call timer{};
    bool watched = false;
    bool held = false; // and its owner knows
  };
  using seat_ref = std::shared_ptr<seat>;

  void begin(const seat_ref& s);
  void leave(const seat_ref& s);
  void ended(const seat_ref& s);
  void step(const seat_ref& s);
  void ask(const seat_ref& s, const lease_claim::step& what);
  void store_said(const failure& why);
  void look_at(const seat_ref& s, time_point now);
  static void tell(lease_state& who, const failure& why);
  void expire_waiting(const seat_ref& s, time_point now);
  void schedule(const seat_ref& s, time_point now);
  void watch(const seat_ref& s, bool on);
  void freed(std::string_view name);
  void count_held(int by);
  void abandon_all();
  void given_back();
  void stop_timer(seat& s) const;

  runtime& rt_;
  const lease_store_ref store_;
  const leases_options options_;
  const std::string who_;
  const std::shared_ptr<const std::atomic<bool>> alive_; // the runtime
  std::unique_ptr<lease_link> link_;
  std::map<std::string, seat_ref, std::less<>> seats_;
  bool closing_ = false;
  bool store_well_ = true;
  std::vector<promise<void>> want_end_;
  delayed_call closing_timer_;
  std::optional<trigger_id> before_end_;
  std::optional<trigger_id> at_end_;
  std::atomic<std::size_t> held_{0};
  own_count acquired_, lost_, renewed_, failures_;
  metrics::gauge gauge_;
  metrics::counter losses_;
};

} // namespace troupe::detail
