#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/runtime/failure.hpp>

namespace spdlog {
class logger;
}

namespace troupe {
class runtime;
}

namespace troupe::testing {

/// What the code under test logged as an error, or as worse.
struct logged_error {
  std::string text;
  failure why; ///< the exception that was being handled; none if it was logged outside of a handler
};

namespace detail {
struct error_log;
}

/// The errors that a runtime of a test has logged: takes those that the test expects.
///
/// What nobody takes fails the test case at its end (`leak_listener`); without that listener it is
/// written to standard error when the runtime ends, so that no exception of the code under test is
/// lost. Warnings and lower levels are the code's own affair.
///
/// ```cpp
/// testing::protocol_fixture<fragile> t;
/// testing::logged_errors errors{t.rt};
/// t.deliver("boom");
/// CHECK(errors.flush<std::out_of_range>().size() == 1);
/// ```
///
/// Several of them may look at one runtime; they share what there is. It may outlive the runtime, and
/// then has what was logged while that ended.
///
/// Thread: any. Source: twisted.trial.unittest.SynchronousTestCase.flushLoggedErrors
class logged_errors {
public:
  /// Looks at what `rt` logs: a `manual_runtime`, or one that was given a `collecting_logger`.
  ///
  /// \throws std::logic_error if it logs elsewhere
  explicit logged_errors(runtime& rt);

  /// Returns how many there are and were not taken.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }

  /// Returns all of them and forgets them.
  std::vector<logged_error> flush() {
    return take([](const logged_error&) { return true; });
  }

  /// Returns and forgets those whose text contains `part`.
  std::vector<logged_error> flush(std::string_view part) {
    return take([part](const logged_error& e) { return e.text.find(part) != std::string::npos; });
  }

  /// Returns and forgets those of an exception that is an `E`.
  template <class E>
  std::vector<logged_error> flush() {
    return take([](const logged_error& e) { return e.why.check<E>(); });
  }

private:
  template <class Wanted>
  std::vector<logged_error> take(Wanted wanted) {
    std::vector<logged_error> found;
    std::vector<logged_error> rest;
    for (auto& e : take_all())
      (wanted(e) ? found : rest).push_back(std::move(e));
    put_back(std::move(rest));
    return found;
  }

  std::vector<logged_error> take_all();
  void put_back(std::vector<logged_error> errors); // in front of those that came meanwhile

  std::shared_ptr<detail::error_log> log_;
};

/// Returns a new logger that writes nothing and collects errors for `logged_errors`: for the
/// `runtime_options::logger` of a runtime that is no `manual_runtime`. Sinks may be added to it.
[[nodiscard]] std::shared_ptr<spdlog::logger> collecting_logger();

namespace detail {

/// Returns and forgets the texts of all errors that were logged to a `collecting_logger` and not
/// taken; also of those that have ended. From the first call on, none are written to standard error.
std::vector<std::string> take_unexpected_errors();

} // namespace detail

} // namespace troupe::testing
