#pragma once

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <troupe/runtime/deferred.hpp>

namespace troupe::testing {

/// Fails a test: a deferred was not as `success_result_of` and its kin expected it. A test that
/// does not catch it fails with its text, in any test framework.
struct assertion_failed : std::logic_error {
  using std::logic_error::logic_error;
};

/// Returns the value that `d` has now.
///
/// \throws assertion_failed if it has none yet, or a failure
/// Source: twisted.trial.unittest.SynchronousTestCase.successResultOf
template <class T>
T success_result_of(deferred<T> d) {
  if (!d.ready())
    throw assertion_failed("a value was expected of " + to_string(d) + ", but there is no result");
  auto result = std::move(d).take();
  if (!result)
    throw assertion_failed("a value was expected, but there is a failure: "
                           + result.error().brief_traceback());
  if constexpr (!std::is_void_v<T>)
    return *std::move(result);
}

/// Returns the failure that `d` has now.
///
/// \throws assertion_failed if it has none yet, or a value
/// Source: SynchronousTestCase.failureResultOf
template <class T>
failure failure_result_of(deferred<T> d) {
  const auto text = to_string(d);
  if (!d.ready())
    throw assertion_failed("a failure was expected of " + text + ", but there is no result");
  auto result = std::move(d).take();
  if (result)
    throw assertion_failed("a failure was expected of " + text);
  return result.error();
}

/// As above, and the failure must be this one, as `failure::check` tells.
template <class T, class Code>
failure failure_result_of(deferred<T> d, Code code) {
  auto why = failure_result_of(std::move(d));
  if (!why.check(code))
    throw assertion_failed("another failure was expected than " + why.brief_traceback());
  return why;
}

/// As above, and raising the failure must throw an `E`.
template <class E, class T>
failure failure_result_of(deferred<T> d) {
  auto why = failure_result_of(std::move(d));
  if (!why.template check<E>())
    throw assertion_failed("another failure was expected than " + why.brief_traceback());
  return why;
}

/// Makes sure that `d` has no result yet; it can still be used.
///
/// \throws assertion_failed if it has one
/// Source: SynchronousTestCase.assertNoResult
template <class T>
void assert_no_result(const deferred<T>& d) {
  if (d.ready())
    throw assertion_failed("no result was expected of " + to_string(d));
}

/// Collects the unhandled failures of this thread while it lives, in place of logging them.
/// Objects of this class nest; the innermost one collects.
///
/// Source: flushLoggedErrors
class unhandled_failures {
public:
  unhandled_failures()
    : outer_(std::exchange(innermost(), this)), previous_(set_unhandled_hook(&collect)) {
    if (previous_ != &collect)
      usual() = previous_;
  }
  ~unhandled_failures() {
    set_unhandled_hook(previous_);
    innermost() = outer_;
  }
  unhandled_failures(const unhandled_failures&) = delete;
  unhandled_failures& operator=(const unhandled_failures&) = delete;

  /// Returns how many there are and were not flushed.
  [[nodiscard]] std::size_t size() const noexcept { return collected_.size(); }
  [[nodiscard]] bool empty() const noexcept { return collected_.empty(); }

  /// Returns them and forgets them.
  std::vector<failure> flush() { return std::exchange(collected_, {}); }

  /// Returns and forgets those that would throw an `E`.
  template <class E>
  std::vector<failure> flush() {
    std::vector<failure> found;
    std::vector<failure> rest;
    for (auto& f : collected_)
      (f.template check<E>() ? found : rest).push_back(std::move(f));
    collected_ = std::move(rest);
    return found;
  }

private:
  static unhandled_failures*& innermost() noexcept {
    static thread_local unhandled_failures* object = nullptr;
    return object;
  }

  // Those of other threads, which have no object of this class, go where they would without any.
  static std::atomic<unhandled_hook>& usual() noexcept {
    static std::atomic<unhandled_hook> hook = nullptr;
    return hook;
  }

  static void collect(const unhandled_failure& what) noexcept {
    if (auto* self = innermost())
      self->collected_.push_back(what.why);
    else if (const auto hook = usual().load())
      hook(what);
  }

  unhandled_failures* outer_;
  unhandled_hook previous_;
  std::vector<failure> collected_;
};

} // namespace troupe::testing
