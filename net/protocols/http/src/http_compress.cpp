#include <troupe/http/http_compress.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <zlib.h>

#include <troupe/http/http_text.hpp>

#include "http_brotli.hpp"
#include "http_characters.hpp"

namespace troupe {

namespace {

constexpr int of_gzip = 16; // added to the bits of the window

// Returns the weight of an element such as "gzip;q=0.5", in thousandths. Source: RFC 9110, 12.4.2
int weight_of(std::string_view element) {
  const auto at = element.find("q=");
  if (at == std::string_view::npos)
    return 1000;
  int weight = 0;
  int unit = 1000;
  for (const char c : element.substr(at + 2, 5)) {
    if (detail::is_http_digit(c)) {
      weight += (c - '0') * unit;
      unit /= 10;
    } else if (c != '.') {
      break;
    }
  }
  return std::min(weight, 1000);
}

enum class packing : std::uint8_t { none, gzip, brotli };

// Returns what a client likes best of what there is: brotli, where it likes both.
packing packing_for(std::string_view list) {
  std::optional<int> gzip;
  std::optional<int> brotli;
  int any = 0;
  for (std::string_view element; next_http_element(list, element);) {
    const auto coding = trim_http(element.substr(0, element.find(';')));
    if (equal_without_case(coding, "gzip") || equal_without_case(coding, "x-gzip"))
      gzip = weight_of(element);
    else if (equal_without_case(coding, "br"))
      brotli = weight_of(element);
    else if (coding == "*")
      any = weight_of(element);
  }
  const int of_brotli = detail::has_brotli() ? brotli.value_or(any) : 0;
  const int of_gzip = gzip.value_or(any);
  if (of_brotli > 0 && of_brotli >= of_gzip)
    return packing::brotli;
  return of_gzip > 0 ? packing::gzip : packing::none;
}

bool shrinks(std::string_view type) {
  type = trim_http(type.substr(0, type.find(';')));
  if (equal_without_case(type, "text/event-stream"))
    return false;
  if (type.size() > 5 && equal_without_case(type.substr(0, 5), "text/"))
    return true;
  for (const std::string_view ending : {"json", "javascript", "xml"})
    if (type.size() > ending.size()
        && equal_without_case(type.substr(type.size() - ending.size()), ending))
      return true;
  return false;
}

// Returns nothing if there is no memory, or it does not get shorter.
std::optional<std::string> packed_with_gzip(std::string_view text, int level) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + of_gzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(text.size(), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); // which it does not change
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const auto result = deflate(&z, Z_FINISH);
  const auto size = out.size() - z.avail_out;
  deflateEnd(&z);
  if (result != Z_STREAM_END)
    return {};
  out.resize(size);
  return out;
}

void pack(http_response& r, packing how, const http_compress_options& o) {
  const auto text = r.text();
  if (text.size() < o.min_size || text.size() > o.max_size || r.status() == 206
      || r.field("Content-Encoding") || r.field("Content-Range")
      || http_list_has(r.field("Cache-Control").value_or(std::string_view{}), "no-transform")
      || !shrinks(r.field("Content-Type").value_or(std::string_view{})))
    return;
  r.add_to_list("Vary", "Accept-Encoding");
  if (how == packing::none)
    return;
  auto shorter = how == packing::brotli ? detail::packed_with_brotli(text, o.brotli_level)
                                        : packed_with_gzip(text, o.level);
  if (!shorter)
    return;
  if (const auto tag = r.field("ETag"); tag && !tag->starts_with("W/"))
    r.set("ETag", "W/" + std::string{*tag});
  r.set("Content-Encoding", how == packing::brotli ? "br" : "gzip");
  r.body(*std::move(shorter));
}

} // namespace

http_handler compress_responses(http_handler inner, http_compress_options options) {
  if (options.level < 1 || options.level > 9)
    throw std::invalid_argument("compress_responses: a level is from 1 to 9");
  if (options.brotli_level < 0 || options.brotli_level > 11)
    throw std::invalid_argument("compress_responses: a level of brotli is from 0 to 11");
  return [inner = std::move(inner), options](http_request r) -> http_reply {
    const auto how = packing_for(r.fields().joined("Accept-Encoding"));
    return inner(std::move(r)).then([how, options](http_response& to) { pack(to, how, options); });
  };
}

} // namespace troupe
