#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe::detail {

/// Several ways to one result, tried with a head start each: the next begins when `delay` has
/// passed or when one that was begun fails. The first that succeeds wins, and the others are
/// cancelled.
///
/// Source: RFC 8305, section 5
template <class T>
class staggered_race : public std::enable_shared_from_this<staggered_race<T>> {
public:
  using attempt = unique_function<deferred<T>()>;
  /// Makes the failure of the whole of those of the attempts, in their order.
  using summary = unique_function<failure(const std::vector<failure>&)>;

  /// \param attempts  at least one
  /// \returns the first success. Cancelling it cancels all.
  [[nodiscard]] static deferred<T> run(clock& c, duration delay, std::vector<attempt> attempts,
                                       summary all_failed) {
    const auto race = std::shared_ptr<staggered_race>(
      new staggered_race(c, delay, std::move(attempts), std::move(all_failed)));
    race->result_.emplace([weak = std::weak_ptr(race)] {
      if (const auto r = weak.lock())
        r->end();
    });
    auto result = race->result_->get_deferred();
    race->begin_next();
    return result;
  }

private:
  staggered_race(clock& c, duration delay, std::vector<attempt> attempts, summary all_failed)
    : clock_(c), delay_(delay), attempts_(std::move(attempts)), failures_(attempts_.size()),
      all_failed_(std::move(all_failed)) {
    running_.reserve(attempts_.size());
  }

  void begin_next() {
    timer_.cancel();
    const auto index = running_.size();
    running_.emplace_back(); // before the call: it may fail at once, and begin the next
    const auto self = this->shared_from_this();
    auto d = attempts_[index]();
    auto ended =
      std::move(d).add_callbacks([self](T value) { self->won(std::move(value)); },
                                 [self, index](failure f) { self->lost(index, std::move(f)); });
    if (!result_)
      return ended.cancel();
    running_[index].emplace(std::move(ended));
    if (!ended_with(index) && more())
      timer_.start(clock_, delay_, [self] { self->begin_next(); });
  }

  bool ended_with(std::size_t index) const { return static_cast<bool>(failures_[index]); }
  bool more() const { return running_.size() < attempts_.size(); }

  void won(T value) {
    if (!result_)
      return; // late: the value is dropped
    auto winner = std::move(*result_);
    end();
    winner.callback(std::move(value));
  }

  void lost(std::size_t index, failure why) {
    if (!result_)
      return;
    failures_[index] = std::move(why);
    if (++lost_ == attempts_.size()) {
      auto loser = std::move(*result_);
      end();
      loser.errback(all_failed_(failures_));
    } else if (more()) {
      begin_next();
    }
  }

  void end() {
    result_.reset();
    timer_.cancel();
    for (auto& r : std::exchange(running_, {}))
      if (r)
        r->cancel();
  }

  clock& clock_;
  const duration delay_;
  std::vector<attempt> attempts_;
  std::vector<std::optional<deferred<void>>> running_; // those that were begun
  std::vector<failure> failures_;
  summary all_failed_;
  std::size_t lost_ = 0;
  tracked_call timer_;
  std::optional<promise<T>> result_; // until it is over
};

} // namespace troupe::detail
