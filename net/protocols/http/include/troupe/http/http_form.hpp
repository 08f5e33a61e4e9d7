#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/http_request.hpp>

namespace troupe {

/// The arguments of a query or a form, decoded, in their order; a name may be there several times.
class http_arguments {
public:
  /// Splits at "&", and each at its first "="; "+" is a space.
  ///
  /// \param limit  how many there may be
  /// \throws http_error 400 if there are more, or something cannot be decoded
  /// Source: the URL standard, application/x-www-form-urlencoded
  [[nodiscard]] static http_arguments parse(std::string_view text, std::size_t limit = 1000);

  /// Adds one behind the others.
  void add(std::string name, std::string value) {
    all_.emplace_back(std::move(name), std::move(value));
  }

  /// Returns the first one of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const noexcept {
    return all_;
  }

private:
  std::vector<std::pair<std::string, std::string>> all_;
};

/// Returns the arguments behind the "?" of a request. \throws as `http_arguments::parse`
[[nodiscard]] http_arguments query_arguments(const http_request& r);

/// Reads the body as a form.
///
/// Fails with: an `http_error` 415 if it is none (Content-Type), 413 if it is longer than `limit`, 400 as
/// `http_arguments::parse`; as `http_request::read`
[[nodiscard]] deferred<http_arguments> read_form(const http_request& r,
                                                 std::size_t limit = 1024 * 1024);

} // namespace troupe
