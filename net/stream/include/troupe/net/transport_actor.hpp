#pragma once

#include <string>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {

/// An actor that speaks through a transport: what the protocols of connections, of child processes and
/// of ports of datagrams have in common. Derive from one of those.
///
/// It has no members, as what it ends with is of no use to all of them: each has room for what it needs.
///
/// Thread: its loop's.
class transport_actor : public pinned_actor {
public:
  using super = pinned_actor;

  explicit transport_actor(caf::actor_config& cfg);
  ~transport_actor() override;

  /// Returns the name under which this protocol logs: its class, unless overridden.
  [[nodiscard]] virtual std::string log_prefix() const;

  /// Returns how it takes messages: none, unless overridden.
  caf::behavior make_behavior() override;

  /// Returns the name under which it logs.
  [[nodiscard]] std::string log_name() const override;

protected:
  /// Returns with what the actor ends if its transport ends for `reason`: nothing is wrong with a
  /// `clean` end, or with one that the runtime asked for.
  [[nodiscard]] static caf::error exit_reason(const failure& reason, errc clean);

  /// Returns why the actor ends, if it was not its transport that ended: it quit, or was told to.
  [[nodiscard]] failure quit_reason() const;

  /// Calls `fn`, which is the user's `name`, and logs what it throws: for places that nothing may leave,
  /// such as the end of an actor, which may be in a destructor.
  template <class F>
  void guarded(const char* name, F&& fn) const noexcept {
    try {
      fn();
    } catch (...) {
      log_exception(name);
    }
  }

  /// Logs the exception that is being handled, which left the user's `name`.
  void log_exception(const char* name) const noexcept;
};

} // namespace troupe
