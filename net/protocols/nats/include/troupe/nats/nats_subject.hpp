#pragma once

#include <cstddef>
#include <string_view>

namespace troupe {

/// How long a subject, pattern or queue group may be, in bytes. The line that carries it, 4096 bytes at most for
/// a server with its usual settings, has two subjects at the most.
inline constexpr std::size_t longest_nats_subject = 1024;

/// Tells whether something can be published to `subject`: tokens that are not empty, with dots between them;
/// no white space, no control characters, and no token that is a wildcard (`*` or `>`).
[[nodiscard]] bool valid_nats_subject(std::string_view subject) noexcept;

/// As above, of what can be subscribed to: a token may be `*`, which stands for any one token, and the last one
/// may be `>`, which stands for one or more.
[[nodiscard]] bool valid_nats_pattern(std::string_view pattern) noexcept;

/// Tells whether `name` can be that of a queue group: not empty, no white space or control characters.
[[nodiscard]] bool valid_nats_queue(std::string_view name) noexcept;

/// Tells whether what is published to `subject` reaches who subscribed to `pattern`. Both must be valid.
[[nodiscard]] bool nats_matches(std::string_view pattern, std::string_view subject) noexcept;

} // namespace troupe
