#pragma once

#include <troupe/net/factory.hpp>
#include <troupe/runtime/runtime.hpp>

struct chat_service;

/// Returns the factory of the chat's connections for clients of IRC. Its port has `placement::same_loop`, on
/// loop 0.
///
/// A room is the channel of its name with `#` before it. Who comes by another door is a guest of the
/// server (`troupe::irc::server`): seen in channels, spoken to by nick. What cannot stand in a nick or in the
/// name of a channel is written in its full-width form, or as a no-break space, which look the same to
/// `look_of`.
[[nodiscard]] troupe::factory_ref make_irc_door(troupe::runtime& rt, const chat_service& service);
