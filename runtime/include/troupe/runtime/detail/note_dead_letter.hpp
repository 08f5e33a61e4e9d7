#pragma once

#include <caf/fwd.hpp>

#include <troupe/runtime/dead_letter.hpp>

namespace troupe::detail {

/// Counts, and tells of, a message that nobody handles, if it is one that somebody misses. Thread: any,
/// also when the runtime is gone.
void note_dead_letter(const caf::abstract_actor& to, const caf::mailbox_element& what,
                      dead_letter_reason why) noexcept;

} // namespace troupe::detail
