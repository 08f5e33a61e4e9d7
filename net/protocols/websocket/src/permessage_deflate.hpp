#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::detail {

/// What the client offers: that neither side goes on with the window of the message before.
constexpr std::string_view deflate_offer =
  "permessage-deflate; client_no_context_takeover; server_no_context_takeover; "
  "client_max_window_bits";

/// How both sides pack messages.
struct deflate_terms {
  int window_bits =
    0; ///< with which this side packs; 0 if it can with none that the other side takes
  std::string answer; ///< what a server says to the offer
};

/// Returns what the server makes of the first offer that it can take; nothing if it takes none.
///
/// \param offers  the field Sec-WebSocket-Extensions of the request
///
/// Source: RFC 7692, 7.1
[[nodiscard]] std::optional<deflate_terms> choose_deflate(std::string_view offers);

/// Reads what a server answers to `deflate_offer`; returns nothing if that is no answer to it.
[[nodiscard]] std::optional<deflate_terms> read_deflate_answer(std::string_view answer);

} // namespace troupe::detail
