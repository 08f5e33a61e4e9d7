#include <troupe/http/detail/http_unpacker.hpp>

#include <troupe/http/http_text.hpp>

#include "http_brotli.hpp"
#include "http_gunzip.hpp"

namespace troupe::detail {

std::unique_ptr<http_unpacker> make_http_unpacker(std::string_view coding) {
  if (equal_without_case(coding, "gzip") || equal_without_case(coding, "x-gzip"))
    return std::make_unique<http_gunzip>();
  if (equal_without_case(coding, "br"))
    return make_http_unbrotli();
  return nullptr;
}

std::string_view http_codings() noexcept {
  return has_brotli() ? "gzip, br" : "gzip";
}

} // namespace troupe::detail
