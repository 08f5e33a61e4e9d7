#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Reports that the description of an endpoint makes no sense: what, and where.
///
/// The text shows the place:
///
/// ```
/// tcp does not take "backlgo"; it takes port, interface, backlog
///   tcp:8123:backlgo=6
///            ^
/// ```
class endpoint_syntax_error : public std::invalid_argument {
public:
  endpoint_syntax_error(std::string_view description, std::size_t position,
                        const std::string& reason);

  /// Returns how many bytes of the description are before the place.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

private:
  std::size_t position_;
};

/// What the description of an endpoint says: a kind, and arguments with or without a keyword.
///
/// Parts are separated by `:`, a keyword and its value by the first `=`; a backslash takes the
/// meaning from what follows it.
///
/// ```cpp
/// const auto d = troupe::endpoint_description::parse("unix:/run/chat:mode=660");
/// // d.kind == "unix", d.arguments[0].value == "/run/chat", d.arguments[1].keyword == "mode"
/// ```
///
/// Source: the strings of twisted.internet.endpoints.serverFromString and clientFromString
struct endpoint_description {
  struct argument {
    std::optional<std::string> keyword;
    std::string value;
    std::size_t position;       ///< of the argument
    std::size_t value_position; ///< the same, unless there is a keyword
  };

  std::string text;
  std::string kind;
  std::vector<argument> arguments;

  /// \throws endpoint_syntax_error if there is no kind, a keyword is empty or comes twice, or a
  ///         backslash is the last character
  [[nodiscard]] static endpoint_description parse(std::string_view text);
};

/// Returns `value` with a backslash before every `\`, `:` and `=`, so that any text can be an
/// argument of a description.
///
/// Source: quoteStringArgument, which leaves `=` alone: there a value without a keyword that has one
/// is taken for a keyword
[[nodiscard]] std::string quote_string_argument(std::string_view value);

} // namespace troupe
