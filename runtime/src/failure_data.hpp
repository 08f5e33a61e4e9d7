#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <system_error>

#include <caf/error.hpp>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe::detail {

/// What a failure holds that is more than a bare code.
struct failure_data {
  mutable std::atomic<std::size_t> references{1};
  std::exception_ptr exception;
  std::error_code code = make_error_code(errc::none); // if there is no exception
  std::string text;
  // Of an exception on another node: its type. Of a code of another node: its category, and then
  // `number` is the code.
  std::string remote_type;
  int number = 0;
  caf::error caf; // an error of one of CAF's own categories
  std::optional<source_location> where;
};

[[nodiscard]] inline bool is_ours(const std::error_code& code) {
  return code.category() == troupe_category();
}

[[nodiscard]] inline bool is(const std::error_code& code, errc name) {
  return code == make_error_code(name);
}

/// Returns the name of the exception's type.
[[nodiscard]] std::string type_of(const std::exception_ptr& e);

/// Returns what an error says that is not Troupe's. CAF itself prints the numbers of its codes only.
[[nodiscard]] std::string caf_text(const caf::error& e);

} // namespace troupe::detail
