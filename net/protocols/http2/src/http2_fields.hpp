#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include <troupe/http/http_text.hpp>

namespace troupe::detail {

/// Makes a field for nghttp2, which copies both, and writes the name in small letters. Secrets are left out of the
/// tables of HPACK (RFC 7541, 7.1).
inline nghttp2_nv http2_field(std::string_view name, std::string_view value) {
  const bool secret = equal_without_case(name, "set-cookie") || equal_without_case(name, "cookie")
                      || equal_without_case(name, "authorization");
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(),
          static_cast<std::uint8_t>(secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)};
}

/// Tells whether a field is about a connection of HTTP/1.1 (RFC 9113, 8.2.2).
inline bool is_of_http1_connection(std::string_view name) {
  return equal_without_case(name, "keep-alive") || equal_without_case(name, "proxy-connection")
         || equal_without_case(name, "upgrade") || equal_without_case(name, "te");
}

/// Adds the lines "Name: value\r\n", which stay where they are.
inline void add_http2_lines(std::vector<nghttp2_nv>& to, std::string_view lines) {
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find("\r\n"));
    const auto colon = line.find(':');
    if (const auto name = line.substr(0, colon); !is_of_http1_connection(name))
      to.push_back(http2_field(name, trim_http(line.substr(colon + 1))));
    lines.remove_prefix(std::min(line.size() + 2, lines.size()));
  }
}

/// Returns an empty list whose memory a thread uses again.
inline std::vector<nghttp2_nv>& http2_scratch_fields() {
  thread_local std::vector<nghttp2_nv> f;
  f.clear();
  return f;
}

} // namespace troupe::detail
