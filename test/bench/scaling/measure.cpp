#include "measure.hpp"

#include <cstdio>
#include <memory>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

namespace scaling {

std::optional<measured> measure(const benchmark& what, std::size_t loops, std::int64_t size,
                                int limit_s) {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  trial t;
  troupe::runtime rt{{.loops = loops, .logger = quiet}};
  plan plan{};
  rt.reactor().call_when_running([&] {
    t.begin(rt);
    plan = what.start(t, size);
  });
  rt.reactor().call_later(std::chrono::seconds(limit_s), [&] { rt.stop(); });
  rt.run();
  if (t.ends() != 1 || t.found != plan.expected) {
    std::fprintf(stderr, "%s, %zu loops: ended %d times with %lld, expected %lld\n", what.name,
                 loops, t.ends(), static_cast<long long>(t.found),
                 static_cast<long long>(plan.expected));
    return std::nullopt;
  }
  const std::chrono::duration<double> time = t.finished - t.started;
  return measured{plan.operations, time.count(), (t.cpu_finished - t.cpu_started) / 1e9, t.found};
}

} // namespace scaling
