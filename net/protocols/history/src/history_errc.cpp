#include <troupe/history/history_errc.hpp>

#include <troupe/runtime/detail/error_table.hpp>

namespace troupe {

namespace {

constexpr detail::error_entry<history_errc> entries[] = {
  {history_errc::none, "none", "no error"},
  {history_errc::store_unavailable, "store_unavailable", "the store is not available"},
  {history_errc::store_full, "store_full", "the store is full"},
  {history_errc::store_corrupt, "store_corrupt", "the store is damaged"},
  {history_errc::store_in_use, "store_in_use", "another process uses the store"},
  {history_errc::store_failed, "store_failed", "the store could not write"},
  {history_errc::wrong_store, "wrong_store", "this is no such store"},
};

} // namespace

std::string_view name(history_errc code) noexcept {
  return detail::error_name(entries, code);
}

const std::error_category& history_category() noexcept {
  static const detail::error_table_category instance{"history", entries};
  return instance;
}

std::error_code make_error_code(history_errc code) noexcept {
  return {static_cast<int>(code), history_category()};
}

} // namespace troupe
