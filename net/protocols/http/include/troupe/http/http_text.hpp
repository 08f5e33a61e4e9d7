#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// Tells whether `text` is one or more characters that a name may have (RFC 9110, 5.6.2).
[[nodiscard]] bool is_http_token(std::string_view text) noexcept;

/// Tells whether `text` may be the value of a field: no control character but the tab.
[[nodiscard]] bool is_http_field_value(std::string_view text) noexcept;

/// Tells whether two texts are equal but for the case of ASCII letters.
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b) noexcept;

/// Returns `text` without the spaces and tabs at both ends.
[[nodiscard]] std::string_view trim_http(std::string_view text) noexcept;

/// Takes the next element off the front of a list that is separated by commas: trimmed, and none that
/// is empty. Commas between quotation marks separate nothing.
///
/// \returns false if there is none left
bool next_http_element(std::string_view& list, std::string_view& element) noexcept;

/// Tells whether `element` is in the list, whatever the case of its letters.
[[nodiscard]] bool http_list_has(std::string_view list, std::string_view element) noexcept;

/// Returns what `%XX` stand for; nothing if a percent sign has no two hexadecimal digits behind it.
///
/// \param plus_is_space  as in forms: "+" is a space
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text,
                                                        bool plus_is_space = false);

/// Returns `text` with everything escaped that is not unreserved (RFC 3986, 2.3), or in `also`.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view also = {});

/// Returns `text` with what HTML takes for markup replaced.
[[nodiscard]] std::string html_escape(std::string_view text);

} // namespace troupe
