// Results that come later: chains of callbacks, coroutines, cancellation, time-outs, several at once.

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/testing/manual_clock.hpp>

using namespace std::chrono_literals;
using troupe::deferred;

// [producer]
/// Answers a question a second after it was asked.
class oracle {
public:
  explicit oracle(troupe::clock& clock) : clock_(clock) {}

  deferred<std::string> ask(std::string question) {
    troupe::promise<std::string> answer;
    auto result = answer.get_deferred();
    clock_.call_later(1s, [question, answer = std::move(answer)]() mutable {
      if (answer.called()) // it was cancelled
        return;
      if (question.ends_with('?'))
        answer.callback("yes");
      else
        answer.errback({troupe::errc::invalid_argument, "that is no question"});
    });
    return result;
  }

private:
  troupe::clock& clock_;
};
// [/producer]

// [chain]
void chain(oracle& wise) {
  wise.ask("Will it rain?")
    .add_callback([](const std::string& answer) { return answer.size(); }) // the type changes
    .add_callback([](std::size_t size) { std::printf("an answer of %zu letters\n", size); })
    .add_errback(
      [](const troupe::failure& why) { std::printf("failed: %s\n", why.message().c_str()); });

  wise.ask("Rain.")
    .add_callback([](const std::string&) { std::puts("never printed: a failure skips callbacks"); })
    .add_errback(
      [](const troupe::failure& why) { std::printf("failed: %s\n", why.message().c_str()); })
    .add_callback([] { std::puts("and here all is well again"); });

  wise.ask("Shall I go on?").add_callback([&wise](const std::string&) {
    return wise.ask("Really?").add_callback(
      [](const std::string&) { std::puts("two answers, one after the other"); });
  });
}
// [/chain]

// [coroutine]
deferred<std::string> ask_twice(oracle& wise) {
  const std::string first = co_await wise.ask("Will it rain?");
  try {
    co_await wise.ask("Rain.");
  } catch (const std::exception& e) {
    std::printf("caught: %s\n", e.what());
  }
  const std::string second = co_await wise.ask("Really?");
  co_return first + " and " + second;
}
// [/coroutine]

// [cancel]
void cancel(oracle& wise, troupe::testing::manual_clock& clock) {
  auto slow = ask_twice(wise).add_callbacks(
    [](const std::string& both) { std::puts(both.c_str()); },
    [](const troupe::failure& why) {
      std::printf("cancelled: %s\n", why.check(troupe::errc::cancelled) ? "yes" : "no");
    });
  slow.cancel(); // reaches the answer that the coroutine waits for

  with_timeout(wise.ask("Quickly?"), 500ms, clock)
    .add_both([](const troupe::outcome<std::string>& got) {
      std::printf("timed out: %s\n",
                  !got && got.error().check(troupe::errc::timed_out) ? "yes" : "no");
    });
  clock.advance(500ms);
}
// [/cancel]

// [several]
deferred<void> several(oracle& wise) {
  std::vector<deferred<std::string>> asked;
  for (const char* question : {"One?", "Two?", "Three?"})
    asked.push_back(wise.ask(question)); // all at once
  const auto answers = co_await troupe::gather_results(std::move(asked));
  std::printf("%zu answers after one second\n", answers.size());
}
// [/several]

int main(int, char** argv) {
  const std::string what = argv[1];
  troupe::testing::manual_clock clock;
  oracle wise{clock};
  if (what == "chain")
    chain(wise);
  else if (what == "coroutine")
    ask_twice(wise).add_callback([](const std::string& both) { std::puts(both.c_str()); });
  else if (what == "cancel")
    cancel(wise, clock);
  else
    several(wise).add_errback([](const troupe::failure&) {});
  while (!clock.get_delayed_calls().empty())
    clock.advance(1s);
}
