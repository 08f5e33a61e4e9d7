#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_response.hpp>

namespace troupe {

/// What `static_files` serves, and how.
struct static_files_options {
  /// What stands for a folder, the first that is there.
  std::vector<std::string> index{"index.html", "index.htm"};

  /// Lists folders that have no index; else they are 403.
  bool listing = false;

  /// Serves names that begin with a dot; else they are not found.
  bool dot_files = false;

  /// Serves `x.br` and `x.gz` in place of `x`, where they are there and the client takes them.
  bool precompressed = true;

  /// The field Cache-Control; empty is none.
  std::string cache_control;

  /// Content types by extension, without the dot and in lower case, beside those of
  /// `http_content_type` and before them.
  std::map<std::string, std::string, std::less<>> types;
};

/// Returns the content type for the name of a file, by its extension: "application/octet-stream" for
/// those unknown.
[[nodiscard]] std::string_view http_content_type(std::string_view file_name) noexcept;

/// Serves the files below `root`, to GET and HEAD, with ETag, Last-Modified, conditions (RFC 9110, 13)
/// and ranges (14). Mounted in a router, it serves the rest of the path.
///
/// Nothing outside of the folder is opened: not by "..", encoded or not, and not by symbolic links, which
/// are followed where they stay below it (openat2 with RESOLVE_BENEATH). What is no regular file is not
/// found. Neither opening nor reading waits for the disk on the loop: what the system has not in memory
/// is left to a thread of the pool.
///
/// \throws std::system_error if `root` cannot be opened
/// Source: twisted.web.static.File
[[nodiscard]] http_handler static_files(const std::string& root, static_files_options options = {});

} // namespace troupe
