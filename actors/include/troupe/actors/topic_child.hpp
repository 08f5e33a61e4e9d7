#pragma once

#include <string>

#include <troupe/actors/child_spec.hpp>
#include <troupe/actors/topics.hpp>

namespace troupe {

/// Returns a spec of a supervisor's child that keeps a topic in existence: the lobby of a chat, a
/// channel that is there before its first listener.
///
/// As long as the child lives, the topic with this name exists and is found, subscribers or not; it is
/// the one that `topics::get` returns, whoever was first. The child holds it and does no more: it is
/// not on the way of what is published, takes no messages, and has no say over subscribers.
///
/// So a crash disturbs nobody: the topic, its subscribers and its observer of drops stay for the child
/// that is started next. A child that was told to end, or terminated, lets go: the topic then is like
/// any other, and goes with its last subscriber and handle. Started again, it keeps the topic that has
/// the name then.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(troupe::topic_child("lobby", rooms, "lobby"));
/// ```
///
/// Source: OTP has no such child; a `pg` group exists while it has members, and its scope is what is
/// supervised.
[[nodiscard]] child_spec topic_child(std::string id, topics among, std::string name,
                                     restart_type restart = restart_type::permanent);

} // namespace troupe
