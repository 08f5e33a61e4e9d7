#include <algorithm>
#include <array>
#include <utility>

#include <troupe/http/http_text.hpp>
#include <troupe/http/static_files.hpp>

namespace troupe {

namespace {

using entry = std::pair<std::string_view, std::string_view>;

constexpr std::array<entry, 44> types{{
  {"7z", "application/x-7z-compressed"},
  {"avif", "image/avif"},
  {"bin", "application/octet-stream"},
  {"bmp", "image/bmp"},
  {"bz2", "application/x-bzip2"},
  {"css", "text/css; charset=utf-8"},
  {"csv", "text/csv; charset=utf-8"},
  {"deb", "application/vnd.debian.binary-package"},
  {"epub", "application/epub+zip"},
  {"gif", "image/gif"},
  {"gz", "application/gzip"},
  {"htm", "text/html; charset=utf-8"},
  {"html", "text/html; charset=utf-8"},
  {"ico", "image/vnd.microsoft.icon"},
  {"ics", "text/calendar; charset=utf-8"},
  {"jpeg", "image/jpeg"},
  {"jpg", "image/jpeg"},
  {"js", "text/javascript; charset=utf-8"},
  {"json", "application/json"},
  {"map", "application/json"},
  {"md", "text/markdown; charset=utf-8"},
  {"mjs", "text/javascript; charset=utf-8"},
  {"mp3", "audio/mpeg"},
  {"mp4", "video/mp4"},
  {"oga", "audio/ogg"},
  {"ogg", "audio/ogg"},
  {"ogv", "video/ogg"},
  {"otf", "font/otf"},
  {"pdf", "application/pdf"},
  {"png", "image/png"},
  {"rss", "application/rss+xml"},
  {"svg", "image/svg+xml"},
  {"tar", "application/x-tar"},
  {"ttf", "font/ttf"},
  {"txt", "text/plain; charset=utf-8"},
  {"wasm", "application/wasm"},
  {"wav", "audio/wav"},
  {"webm", "video/webm"},
  {"webmanifest", "application/manifest+json"},
  {"webp", "image/webp"},
  {"woff", "font/woff"},
  {"woff2", "font/woff2"},
  {"xml", "text/xml; charset=utf-8"},
  {"zip", "application/zip"},
}};

static_assert(std::ranges::is_sorted(types, {}, &entry::first));

} // namespace

std::string_view http_content_type(std::string_view file_name) noexcept {
  const auto dot = file_name.rfind('.');
  if (dot == std::string_view::npos)
    return "application/octet-stream";
  const auto extension = file_name.substr(dot + 1);
  for (const auto& [name, type] : types)
    if (equal_without_case(name, extension))
      return type;
  return "application/octet-stream";
}

} // namespace troupe
