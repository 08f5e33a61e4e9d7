#include <troupe/telnet/error.hpp>

#include <troupe/runtime/detail/error_table.hpp>

namespace troupe {

namespace {

constexpr detail::error_entry<telnet_errc> entries[] = {
  {telnet_errc::option_refused, "option_refused", "the peer refuses the option"},
  {telnet_errc::already_negotiating, "already_negotiating",
   "the option is being negotiated already"},
  {telnet_errc::already_enabled, "already_enabled", "the option is on already"},
  {telnet_errc::already_disabled, "already_disabled", "the option is off already"},
  {telnet_errc::superseded, "superseded", "the opposite was asked for"},
};

} // namespace

const std::error_category& telnet_category() noexcept {
  static const detail::error_table_category instance{"telnet", entries};
  return instance;
}

} // namespace troupe
