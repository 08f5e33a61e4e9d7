#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::irc {

/// Low-level quoting: NUL, LF, CR and \x10 in a line that cannot have them.
/// Source: twisted.words.protocols.irc.lowQuote
[[nodiscard]] std::string low_quote(std::string_view text);

/// Takes it back; an escape that is not defined loses its \x10 only. After the line was split, never before.
[[nodiscard]] std::string low_dequote(std::string_view text);

/// A request or an answer between clients, in a PRIVMSG or a NOTICE.
struct ctcp_request {
  std::string tag;                 ///< in capitals: "ACTION", "VERSION", "DCC"
  std::optional<std::string> data; ///< absent and empty differ

  friend bool operator==(const ctcp_request&, const ctcp_request&) = default;
};

/// A text, taken apart into its requests and the rest.
struct ctcp_text {
  std::vector<ctcp_request> requests;
  std::string text; ///< what is outside of them
};

/// Takes apart a text: requests stand between \x01, of which the last may be missing.
/// Source: twisted.words.protocols.irc.ctcpExtract
[[nodiscard]] ctcp_text ctcp_extract(std::string_view text);

/// Returns a request as a text.
[[nodiscard]] std::string ctcp_string(const ctcp_request& request);

} // namespace troupe::irc
