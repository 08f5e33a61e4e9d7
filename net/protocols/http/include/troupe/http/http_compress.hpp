#pragma once

#include <cstddef>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>

namespace troupe {

/// Which bodies `compress_responses` packs.
struct http_compress_options {
  std::size_t min_size = 1024;       ///< bytes; shorter ones gain nothing
  std::size_t max_size = 256 * 1024; ///< bytes; longer ones would keep the loop for too long
  int level = 3;                     ///< of zlib: 1 is fast, 9 small
  int brotli_level = 4;              ///< of brotli: 0 is fast, 11 small
};

/// Packs the responses of `inner` with brotli or gzip, for clients that ask for it: with what they like best,
/// and with brotli where they like both; without libbrotli with gzip alone.
///
/// Packed are bodies that are text here, of a type that shrinks (text, JSON, JavaScript, XML, SVG), and only if they
/// do; not what streams, is a file (`static_files` sends what lies there packed), a part of something, packed
/// already, or has `Cache-Control: no-transform`. An ETag becomes a weak one, for the bytes are others.
///
/// The trap: packed, the length of a response tells about its content. What has a secret beside something that
/// a stranger chose, such as a token in a page that repeats the query, is better not packed (BREACH).
///
/// \throws std::invalid_argument for a level that is not from 1 to 9, or of brotli from 0 to 11
/// Source: RFC 9110, 8.4.1 and 12.5.3; twisted.web.server.GzipEncoderFactory
[[nodiscard]] http_handler compress_responses(http_handler inner,
                                              http_compress_options options = {});

} // namespace troupe
