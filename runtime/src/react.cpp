#include <troupe/runtime/react.hpp>

#include <memory>
#include <optional>

#include <spdlog/logger.h>

namespace troupe::detail {

namespace {

/// What came of the program. Some of it may come when `react` has returned, if the grace time was over.
struct program {
  int code = 0;
  bool ended = false;
  bool cut_short = false; // nothing but the cancellation came of it
  bool stopping = false;
  std::optional<deferred<int>> running; // so that it can be cancelled
  promise<void> over;
};

void take_failure(program& p, const failure& why, spdlog::logger& log) {
  try {
    why.raise();
  } catch (const exit_program& e) {
    p.code = e.code;
  } catch (...) {
    if (p.stopping && why.check(errc::cancelled)) {
      p.cut_short = true;
      return;
    }
    log.error("the program failed: {}", why.brief_traceback());
    p.code = 1;
  }
}

} // namespace

int react(runtime& rt, unique_function<deferred<int>()> main) {
  const auto p = std::make_shared<program>();
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [p] {
    p->stopping = true;
    auto end = p->over.get_deferred();
    if (p->running)
      p->running->cancel();
    else
      p->over.callback();
    return end;
  });
  rt.reactor().call_when_running([p, &rt, main = std::move(main)]() mutable {
    if (p->stopping)
      return;
    p->running.emplace(main());
    p->running->add_both([weak = std::weak_ptr{p}, &rt](outcome<int> result) {
      const auto program = weak.lock();
      if (!program)
        return 0;
      program->ended = true;
      if (result)
        program->code = *result;
      else
        take_failure(*program, result.error(), rt.logger());
      program->over.callback();
      if (!program->stopping)
        rt.stop();
      return 0;
    });
  });
  const auto result = rt.run();
  if (result.how == run_end::signalled && (p->cut_short || !p->ended))
    return 128 + result.signal;
  return p->code != 0 ? p->code : result.exit_code();
}

} // namespace troupe::detail
