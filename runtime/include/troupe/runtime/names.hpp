#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/make_message.hpp>

#include <troupe/runtime/sendable.hpp>

namespace caf {
class actor_system;
}

namespace troupe {

class runtime;

namespace detail {
class name_table;
}

/// Refers to whichever actor has a name, each time anew: it outlives restarts.
///
/// A handle of an actor is stale once the actor has ended; this one then refers to whoever took over
/// the name, and to nobody in between.
///
/// ```cpp
/// troupe::named_actor cache = rt.names().get("cache");
/// ask<std::string>(*this, cache, 1s, get_atom::value, key); // fails at once if there is none
/// cache.send(forget_atom::value, key);
/// ```
///
/// Copies refer to the same name. It may outlive the runtime; then nobody has the name.
/// Thread: any. Source: OTP's registered names, `{via, ...}`
class named_actor {
public:
  named_actor(std::shared_ptr<const detail::name_table> table, std::string name) noexcept
    : table_(std::move(table)), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Returns who has the name now; empty if nobody has.
  [[nodiscard]] caf::actor actor() const { return caf::actor_cast<caf::actor>(who()); }

  /// Returns the same as a pointer, which is empty if nobody has the name.
  [[nodiscard]] caf::strong_actor_ptr who() const;

  /// Sends a message, without a sender, to who has the name now; returns whether anybody has.
  /// Order: that of the calls, as long as the same actor has the name.
  template <class... Ts>
  bool send(Ts&&... values) const {
    static_assert((sendable<Ts> && ...),
                  "one of these values cannot be part of a message: give its "
                  "type an inspect(), or name it in "
                  "CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
    return send_message(caf::make_message(std::forward<Ts>(values)...), nullptr);
  }

  /// As above, from `sender`, an actor or its handle.
  template <class Sender, class... Ts>
  bool send_as(const Sender& sender, Ts&&... values) const {
    static_assert((sendable<Ts> && ...),
                  "one of these values cannot be part of a message: give its "
                  "type an inspect(), or name it in "
                  "CAF_ALLOW_UNSAFE_MESSAGE_TYPE; see docs/messages.md");
    return send_message(caf::make_message(std::forward<Ts>(values)...),
                        caf::actor_cast<caf::strong_actor_ptr>(sender));
  }

private:
  bool send_message(caf::message content, caf::strong_actor_ptr sender) const;

  std::shared_ptr<const detail::name_table> table_;
  std::string name_;
};

/// The actors of a runtime that have names, by which others find them, also after a restart.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(
///   {.id = "cache", .start = troupe::start_actor<cache>(), .name = "cache"});
/// rt.names().get("cache").send(forget_atom::value, key);
/// ```
///
/// An actor that ends loses its names, whatever ended it; between that and its successor's start
/// nobody has them. A child with a `child_spec::name` gets it at each start. A name keeps its actor
/// alive; the end of the runtime ends that.
///
/// This is a handle: copies are the same names. Within an actor: `troupe::names{system()}`.
/// Thread: any.
/// Source: OTP's register/2, whereis/1
class names {
public:
  explicit names(runtime& rt);

  /// \param system  that of a runtime
  explicit names(caf::actor_system& system);

  /// Gives `name` to `who`. An actor may have several.
  ///
  /// \param who  any handle of an actor, also of another node; it must not be empty
  /// \returns whether it has it now: false if another one has, which lives, or if `who` has ended
  template <class Handle>
  [[nodiscard]] bool put(std::string name, const Handle& who) const {
    return put_pointer(std::move(name), caf::actor_cast<caf::strong_actor_ptr>(who));
  }

  /// Takes `name` away from who has it. \returns whether anybody had
  bool remove(std::string_view name) const;

  /// Returns who has `name` now; empty if nobody has. It is good until that actor ends: keep a
  /// reference (`get`) where that may be.
  [[nodiscard]] caf::actor whereis(std::string_view name) const;

  /// Returns a reference to whoever has `name`, now or later.
  [[nodiscard]] named_actor get(std::string name) const { return {table_, std::move(name)}; }

  /// Returns the names that somebody has, sorted.
  [[nodiscard]] std::vector<std::string> all() const;

private:
  bool put_pointer(std::string name, caf::strong_actor_ptr who) const;

  std::shared_ptr<detail::name_table> table_;
};

} // namespace troupe
