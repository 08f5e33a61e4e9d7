#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::irc {

/// Which characters are the same letter, large and small, in names. `ascii`: A to Z; `rfc1459`: also
/// `{}|^` and `[]\~`; `strict_rfc1459`: without `^~`.
enum class case_mapping : std::uint8_t { ascii, rfc1459, strict_rfc1459 };

/// Returns `name` in small letters: equal for names that are one. Thread: any.
[[nodiscard]] std::string fold(std::string_view name, case_mapping how = case_mapping::rfc1459);

/// Tells whether two names are one.
[[nodiscard]] bool same_name(std::string_view a, std::string_view b,
                             case_mapping how = case_mapping::rfc1459) noexcept;

/// Tells whether `text` fits `pattern`, in which `*` stands for anything and `?` for one byte. Both are folded
/// before. It takes at most the product of their lengths.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text) noexcept;

} // namespace troupe::irc
