#include <troupe/runtime/react.hpp>

#include <optional>

#include <spdlog/logger.h>

namespace troupe::detail {

namespace {

int exit_code_of(const failure& why, bool stopping, spdlog::logger& log) {
  try {
    why.raise();
  } catch (const exit_program& e) {
    return e.code;
  } catch (...) {
    if (stopping && why.check(errc::cancelled))
      return 0;
    log.error("the program failed: {}", why.brief_traceback());
    return 1;
  }
}

} // namespace

int react(runtime& rt, unique_function<deferred<int>()> main) {
  int code = 0;
  bool stopping = false;
  std::optional<deferred<int>> running; // so that it can be cancelled
  promise<void> over;

  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    stopping = true;
    auto end = over.get_deferred();
    if (running)
      running->cancel();
    else
      over.callback();
    return end;
  });
  rt.reactor().call_when_running([&] {
    if (stopping)
      return;
    running.emplace(main());
    running->add_both([&](outcome<int> result) {
      code = result ? *result : exit_code_of(result.error(), stopping, rt.logger());
      over.callback();
      if (!stopping)
        rt.stop();
      return 0;
    });
  });
  rt.run();
  return code;
}

} // namespace troupe::detail
