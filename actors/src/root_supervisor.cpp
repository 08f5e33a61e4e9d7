#include <troupe/actors/root_supervisor.hpp>

#include <mutex>

#include <asio/execution_context.hpp>
#include <spdlog/logger.h>

namespace troupe {

namespace {

/// Keeps a runtime's root at its first loop.
class root_service final : public asio::execution_context::service {
public:
  using key_type = root_service;
  static inline asio::execution_context::id id;
  explicit root_service(asio::execution_context& context) : service(context) {}

  std::mutex mutex;
  caf::actor root;

private:
  void shutdown() override {}
};

deferred<void> stop_in_time(runtime& rt, const caf::actor& root) {
  auto stopped = supervisor_ref {
    root
    } -> shut_down();
  if (!stopped.ready())
    rt.reactor().call_later(rt.scheduler().options().grace, [root] {
      supervisor_ref {
        root
        } -> hurry();
    });
  return stopped;
}

} // namespace

supervisor_ref root_supervisor(runtime& rt, supervisor_options options) {
  auto& service = asio::use_service<root_service>(rt.scheduler().loop(0).io());
  const std::lock_guard hold{service.mutex};
  if (service.root)
    return supervisor_ref{service.root};
  service.root = rt.spawn_on<supervisor>(0, std::move(options));
  service.root->attach_functor([&rt](const caf::error& reason) {
    if (!reason || reason == caf::exit_reason::normal || reason == caf::exit_reason::user_shutdown)
      return;
    rt.reactor().call_from_thread([&rt, reason] {
      if (!rt.reactor().running() || rt.stop_requested())
        return;
      rt.logger().critical("the root supervisor has ended; stopping");
      rt.give_up(failure{reason});
    });
  });
  rt.reactor().call_from_thread([&rt, root = service.root] {
    rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown,
                                          [&rt, root] { return stop_in_time(rt, root); });
  });
  return supervisor_ref{service.root};
}

} // namespace troupe
