#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe {

/// The failure of a list of deferreds of which one failed. Source: twisted...defer.FirstError
struct first_error : std::exception {
  first_error(failure why, std::size_t i)
    : sub_failure(std::move(why)), index(i),
      text_("deferred " + std::to_string(i) + ": " + sub_failure.message()) {}
  const char* what() const noexcept override { return text_.c_str(); }

  failure sub_failure;
  std::size_t index; // of the deferred that failed

private:
  std::string text_;
};

/// The failure of a list of deferreds of which every one failed.
/// Source: twisted.internet.defer.FailureGroup
struct failure_group : std::exception {
  explicit failure_group(std::vector<failure> all) : failures(std::move(all)) {}
  const char* what() const noexcept override { return "every one of the deferreds failed"; }

  std::vector<failure> failures;
};

/// The value of one of several deferreds.
template <class T>
struct indexed {
  std::size_t index;
  T value;

  static indexed make(std::size_t i, outcome<T> out) { return {i, *std::move(out)}; }
};

template <>
struct indexed<void> {
  std::size_t index;

  static indexed make(std::size_t i, const outcome<void>&) { return {i}; }
};

namespace detail {

struct nothing {};

/// Waits for several deferreds of the same type; shared by the chains of all of them.
template <class T, class R>
class gathering : public std::enable_shared_from_this<gathering<T, R>> {
public:
  /// Sees the result of one input.
  using step = unique_function<void(gathering&, std::size_t, outcome<T>&), 32>;

  static deferred<R> start(std::vector<deferred<T>> inputs, bool consume_errors, step each) {
    auto self = std::make_shared<gathering>(std::move(each), consume_errors, inputs.size());
    auto result = self->result_.get_deferred();
    if (inputs.empty())
      self->callback(self->finish_empty());
    // None is looked at before all are at hand, for one that is ready may end it all.
    for (std::size_t i = 0; i < inputs.size(); ++i)
      self->add(i, std::move(inputs[i]));
    for (std::size_t i = 0; i < self->inputs_.size(); ++i)
      if (self->inputs_[i])
        deferred_access::state(*self->inputs_[i]).end_pauses();
    return result;
  }

  gathering(step each, bool consume_errors, std::size_t size)
    : each_(std::move(each)), consume_errors_(consume_errors), left_(size), outcomes_(size),
      inputs_(size), result_([this] { cancel_inputs(); }) {}

  /// Unfired, every input was abandoned, and with it what waits for them.
  ~gathering() { result_.abandon(); }
  gathering(const gathering&) = delete;
  gathering& operator=(const gathering&) = delete;

  /// Keeps one result; tells whether it was the last.
  bool keep(std::size_t index, outcome<T>&& out) {
    outcomes_[index].emplace(std::move(out));
    return --left_ == 0;
  }

  std::vector<outcome<T>> take_all() {
    std::vector<outcome<T>> all;
    all.reserve(outcomes_.size());
    for (auto& out : outcomes_)
      all.push_back(*std::move(out));
    return all;
  }

  auto take_values() {
    if constexpr (std::is_void_v<T>) {
      return nothing{};
    } else {
      std::vector<T> all;
      all.reserve(outcomes_.size());
      for (auto& out : outcomes_)
        all.push_back(**std::move(out));
      return all;
    }
  }

  std::vector<failure> take_failures() {
    std::vector<failure> all;
    for (auto& out : outcomes_)
      all.push_back(out->error());
    return all;
  }

  void callback(R value) {
    fired_ = true;
    auto mine = std::move(result_);
    take_inputs();
    mine.callback(std::move(value));
  }

  void errback(failure why) {
    fired_ = true;
    auto mine = std::move(result_);
    take_inputs();
    mine.errback(std::move(why));
  }

  void cancel_others() {
    fired_ = true;
    auto inputs = take_inputs();
    for (auto& input : inputs)
      if (input)
        input->cancel();
  }

private:
  R finish_empty() {
    if constexpr (std::is_default_constructible_v<R>)
      return R{};
    else
      throw std::logic_error("a list without inputs");
  }

  void add(std::size_t index, deferred<T> input) {
    input.pause();
    inputs_[index].emplace(std::move(input).add_both(
      [self = this->shared_from_this(), index](outcome<T> out) { return self->see(index, out); }));
  }

  // What is returned is unhandled, unless it is consumed.
  outcome<void> see(std::size_t index, outcome<T>& out) {
    if (!fired_)
      each_(*this, index, out);
    else if (!out && !consume_errors_)
      return out.error();
    return {};
  }

  void cancel_inputs() {
    const auto self = this->shared_from_this();
    consume_errors_ = true; // nobody is interested in those any more
    auto inputs = take_inputs();
    for (auto& input : inputs)
      if (input)
        input->cancel();
    fired_ = true; // if there still is one that could not be cancelled, it comes too late
  }

  // They go on, but nobody can cancel them from here any more.
  auto take_inputs() {
    auto inputs = std::exchange(inputs_, {});
    inputs_.resize(inputs.size());
    return inputs;
  }

  step each_;
  bool consume_errors_;
  bool fired_ = false;
  std::size_t left_;
  std::vector<std::optional<outcome<T>>> outcomes_;
  std::vector<std::optional<deferred<void>>> inputs_;
  promise<R> result_;
};

} // namespace detail
} // namespace troupe
