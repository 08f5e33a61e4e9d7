#pragma once

#include <mutex>
#include <optional>

#include <caf/actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

namespace troupe::detail {

/// Stands for CAF's printer, the actor behind `caf::aout`, and begins that with the first message for
/// it: the printer has a thread, and in a process of one thread the system looks up a descriptor,
/// and the libraries take a lock and count a reference, without an atomic operation.
///
/// Thread: any.
class late_printer final : public caf::monitorable_actor {
public:
  explicit late_printer(caf::actor_config& cfg) : monitorable_actor(cfg) {}

  static caf::actor make(caf::actor_system& sys);

  /// Hands `what` on to the printer, in the caller's thread.
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) override;

  /// Ends the printer, if there is one, after what was said before; drops what is said later.
  void stop();

  const char* name() const override { return "late printer"; }

private:
  // CAF makes its printer in a scheduler, and only there.
  class owner final : public caf::scheduler::abstract_coordinator {
  public:
    using abstract_coordinator::abstract_coordinator;
    void stop() override { stop_actors(); }
    void enqueue(caf::resumable* job) override;
    caf::actor_clock& clock() noexcept override;
  };

  std::mutex mutex_; // of what follows, while the printer is begun or told to end
  std::optional<owner> owner_;
  bool stopped_ = false;
};

} // namespace troupe::detail
