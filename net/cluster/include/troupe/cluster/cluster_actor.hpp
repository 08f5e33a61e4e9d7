#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <caf/make_message.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

class runtime;
class cluster_actor;

namespace detail {

class cluster_core;

void ask_over_nodes(basic_actor& self, const cluster_actor& whom, duration timeout,
                    caf::message content, const std::shared_ptr<question_base>& asked);

} // namespace detail

/// Refers to whoever serves a name in a cluster, each time anew: it outlives restarts and nodes.
/// `cluster::actor` makes one.
///
/// Who is meant is the actor that this node serves under the name; else one of the other nodes', in turn;
/// or, if it says a node, that one's.
///
/// ```cpp
/// const auto users = cluster.actor("users");
/// ask<bool>(*this, users, 5s, claim_atom::value, name).add_callback([](bool ours) { ... });
/// users.send(forget_atom::value, name);
/// ```
///
/// What is sent to another node travels by the `inspect` of its values, each type of which has a name
/// there, too: `runtime_options::configure`, with `config.add_message_type<T>("name")`. Handles of actors do not travel,
/// nor does `caf::error`: a name does, and a `troupe::failure`. A value that does not travel is an error where it
/// is sent, also if the actor happens to be on this node. Members of a type that
/// `CAF_ALLOW_UNSAFE_MESSAGE_TYPE` names are left out by CAF without a word.
///
/// Copies refer to the same name. It may outlive the cluster; then nobody serves it.
/// Thread: any. Source: OTP's global names and pg
class cluster_actor {
public:
  cluster_actor(std::weak_ptr<detail::cluster_core> core, std::string name,
                std::string node) noexcept
    : core_(std::move(core)), name_(std::move(name)), node_(std::move(node)) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Returns the node that is meant; empty if any is.
  [[nodiscard]] const std::string& node() const noexcept { return node_; }

  /// Tells whether anybody serves it, as far as this node knows.
  [[nodiscard]] bool is_served() const;

  /// Sends a message, without a sender; at most once.
  ///
  /// \returns `errc::none` if it is on its way; `errc::actor_down` if nobody serves the name, as far as is
  /// known here; `errc::not_supported` if a value does not travel; `errc::message_too_long` if it is longer
  /// than `cluster_options::max_message`; `errc::queue_overflow` if too much waits for the backplane
  /// (on loop 0; from other loops that is found out later, and only counted);
  /// `errc::not_connected` if this node is not up
  /// Order: what one actor sends to one node's actor arrives in that order.
  template <class... Ts>
  failure send(Ts&&... values) const {
    static_assert((sendable<Ts> && ...),
                  "one of these values cannot be part of a message: give its "
                  "type an inspect(); see docs/messages.md");
    return send_message(caf::make_message(std::forward<Ts>(values)...));
  }

private:
  friend void detail::ask_over_nodes(basic_actor& self, const cluster_actor& whom, duration timeout,
                                     caf::message content,
                                     const std::shared_ptr<detail::question_base>& asked);
  friend class cluster;

  failure send_message(const caf::message& content) const;

  std::weak_ptr<detail::cluster_core> core_;
  std::string name_;
  std::string node_;
};

/// Asks whoever serves a name in a cluster, as `ask` does a handle: one answer or one failure.
///
/// \param timeout  how long to wait for the answer, over nodes too; not `wait_for_ever`, for what is lost on the way
///                 is missed by nobody else
/// Fails with: what the receiver failed with; `errc::timed_out`; `errc::actor_down` at once if nobody serves the
/// name, and when the actor ends before it answers; `errc::connection_lost` if its node goes down, leaves or takes a new
/// incarnation first; `errc::not_connected` if this node is not up; `errc::not_supported`, `errc::message_too_long`
/// and `errc::queue_overflow` as `cluster_actor::send`, and for an answer that does not travel;
/// `errc::invalid_argument` for `wait_for_ever`. After a `timed_out` or a `connection_lost` nobody knows whether
/// the question has arrived.
/// Thread: that of `self`, in its own code.
template <class T, class... Args>
deferred<T> ask(basic_actor& self, const cluster_actor& receiver, ask_timeout timeout,
                Args&&... args) {
  detail::check_question<T, cluster_actor, Args...>();
  auto asked = detail::make_question<T>(timeout);
  auto result = asked->start();
  detail::ask_over_nodes(self, receiver, timeout.time,
                         caf::make_message(std::forward<Args>(args)...), asked);
  return result;
}

/// As above, for code that is no actor's: the deferred fires on loop 0.
///
/// Fails, in addition, with: `errc::runtime_stopped` if the runtime stops first.
/// Thread: loop 0, or before `run()`.
template <class T, class... Args>
deferred<T> ask(runtime& rt, const cluster_actor& receiver, ask_timeout timeout, Args&&... args) {
  detail::check_question<T, cluster_actor, Args...>();
  std::optional<deferred<T>> result;
  detail::ask_for_others(rt, [&](basic_actor* self) {
    result = self != nullptr ? ask<T>(*self, receiver, timeout, std::forward<Args>(args)...)
                             : fail<T>(errc::runtime_stopped);
  });
  return *std::move(result);
}

} // namespace troupe
