#include <troupe/actors/application.hpp>

#include <spdlog/logger.h>

namespace troupe {

application::application(runtime& rt, std::string name) : rt_(rt) {
  set_name(std::move(name));
}

run_result application::run() {
  privileged_start_service();
  rt_.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                         [this] { return stop(); });
  rt_.reactor().call_when_running([this] { start(); });
  return rt_.run();
}

void application::start() {
  rt_.logger().info("{} starts", service_name());
  start_service().add_errback([this](const failure& why) {
    if (!running())
      return; // it was stopped while it started
    rt_.logger().critical("{} could not be started: {}", service_name(), why.message());
    rt_.give_up(why);
  });
}

deferred<void> application::stop() {
  if (!running())
    return succeed();
  rt_.logger().info("{} stops", service_name());
  return deferred<void>(stop_service().add_timeout(rt_.scheduler().options().grace, rt_.reactor()));
}

} // namespace troupe
