#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_EXTERNAL_INTERFACES // else Catch2 2 hides its listeners
#include <catch2/catch.hpp>
#endif

#include <troupe/runtime/deferred_debugging.hpp>
#include <troupe/testing/leftovers.hpp>
#include <troupe/testing/logged_errors.hpp>

namespace troupe::testing {

#if __has_include(<catch2/catch_all.hpp>)
using catch_listener = Catch::EventListenerBase;
#else
using catch_listener = Catch::TestEventListenerBase;
#endif

/// A Catch2 listener (2 or 3) that fails a test case which leaves something behind: delayed calls or
/// actors in a runtime that outlives it, a runtime, a failure that nobody handled and that no
/// `unhandled_failures` collected, or an error that the code under test logged, such as an exception
/// that left a callback, and that no `logged_errors` took.
///
/// What a runtime of the test's own has is ended by that runtime's end. It is registered in one
/// source file; with Catch2 2 in that of the main function, or in one that includes this first:
///
/// ```cpp
/// using troupe::testing::leak_listener; // the macro takes a plain name
/// CATCH_REGISTER_LISTENER(leak_listener)
/// ```
///
/// Source: the checks of twisted.trial's Janitor, and of its observer of logged errors
class leak_listener : public catch_listener {
public:
  using catch_listener::catch_listener;

  void testRunStarting(const Catch::TestRunInfo& info) override {
    catch_listener::testRunStarting(info);
    set_unhandled_hook(&note);
  }

  void sectionStarting(const Catch::SectionInfo& info) override {
    catch_listener::sectionStarting(info);
    if (depth_++ == 0) {
      before_ = leftovers::now();
      take_failures();
      detail::take_unexpected_errors();
    }
  }

  // The first section is the test case itself, whose function has returned here.
  void sectionEnded(const Catch::SectionStats& stats) override {
    if (--depth_ == 0) {
      for (const auto& leak : leaks())
        FAIL_CHECK("the test leaves behind: " << leak);
      for (const auto& error : detail::take_unexpected_errors())
        FAIL_CHECK("the test did not expect this error: " << error);
    }
    catch_listener::sectionEnded(stats);
  }

private:
  std::vector<std::string> leaks() const {
    const auto now = leftovers::now();
    auto found = take_failures();
    const auto compare = [&](std::size_t was, std::size_t is, const char* what) {
      if (is > was)
        found.push_back(std::to_string(is - was) + ' ' + what);
    };
    compare(before_.runtimes, now.runtimes, "runtimes");
    compare(before_.actors, now.actors, "actors");
    compare(before_.delayed_calls, now.delayed_calls, "delayed calls");
    return found;
  }

  static void note(const unhandled_failure& what) noexcept {
    const std::lock_guard hold{failures().mutex};
    failures().texts.push_back("an unhandled failure: " + what.why.brief_traceback());
  }
  static std::vector<std::string> take_failures() {
    const std::lock_guard hold{failures().mutex};
    return std::exchange(failures().texts, {});
  }

  struct noted {
    std::mutex mutex;
    std::vector<std::string> texts;
  };
  static noted& failures() { // from any thread, and until the process ends
    static auto* all = new noted;
    return *all;
  }

  leftovers before_;
  std::size_t depth_ = 0;
};

} // namespace troupe::testing
