#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/http/detail/http_unpacker.hpp>

namespace troupe::detail {

/// Tells whether this build has brotli.
bool has_brotli() noexcept;

/// Returns what unpacks brotli; null without. Memory: what the text claims for its window, 16 MiB at most.
///
/// Source: RFC 7932
std::unique_ptr<http_unpacker> make_http_unbrotli();

/// Packs a text; nothing if it does not get shorter, or without brotli.
///
/// \param level  0 is fast, 11 small
std::optional<std::string> packed_with_brotli(std::string_view text, int level);

} // namespace troupe::detail
