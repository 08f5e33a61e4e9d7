#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Returns `text`, which a stranger sent, as it may be shown to people: UTF-8, one line, and nothing
/// that a terminal obeys.
///
/// - Ends of lines, tabs, and Unicode's separators of lines and paragraphs become a space.
/// - Other control characters (C0, DEL, C1) are gone, and so is what reorders the text around it (bidi
///   embeddings, overrides, isolates), the deprecated format characters, U+FEFF and U+FFF9 to U+FFFB.
/// - What is no UTF-8 becomes U+FFFD, one for each maximal part (Unicode 3.9): overlong forms,
///   surrogates and what is beyond U+10FFFF too.
///
/// All else stays as it is, in its order: letters of all scripts, marks, joiners (an emoji may need
/// them), marks of direction. It is not normalized. Doing it twice is doing it once.
///
/// Thread: any.
[[nodiscard]] std::string printable(std::string_view text);

/// Appends `printable(text)` to `to`, without a string in between.
void append_printable(std::string& to, std::string_view text);

/// Tells whether `text` is `printable` as it is.
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

/// Returns `text` in quotation marks, for a log or an operator who wants to know what came: what
/// `printable` would replace is written `\r`, `\n`, `\t`, `\x1b` (a byte) or `\u{202e}`, and `"` and
/// `\` have a `\` in front. So nothing in it can be taken for what surrounds it.
///
/// \param most  how many bytes of `text` are shown; what is more is counted behind the quotation marks
/// Thread: any.
[[nodiscard]] std::string quoted_text(std::string_view text, std::size_t most = SIZE_MAX);

} // namespace troupe
