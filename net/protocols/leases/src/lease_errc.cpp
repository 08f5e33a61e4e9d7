#include <troupe/leases/lease_errc.hpp>

#include <troupe/runtime/detail/error_table.hpp>

namespace troupe {

namespace {

constexpr detail::error_entry<lease_errc> lease_entries[] = {
  {lease_errc::none, "none", "no error"},
  {lease_errc::lost, "lost", "the lease is over"},
  {lease_errc::held_elsewhere, "held_elsewhere", "another one has the lease"},
  {lease_errc::conflict, "conflict", "the record is another one than expected"},
  {lease_errc::store_unavailable, "store_unavailable", "the store of leases is not available"},
  {lease_errc::store_failed, "store_failed", "the store of leases could not write"},
  {lease_errc::wrong_store, "wrong_store", "this is no such store of leases"},
};

} // namespace

std::string_view name(lease_errc code) noexcept {
  return detail::error_name(lease_entries, code);
}

const std::error_category& lease_category() noexcept {
  static const detail::error_table_category instance{"lease", lease_entries};
  return instance;
}

std::error_code make_error_code(lease_errc code) noexcept {
  return {static_cast<int>(code), lease_category()};
}

} // namespace troupe
