#pragma once

#include <string>
#include <string_view>

#include <troupe/runtime/outcome.hpp>

namespace troupe {

/// Returns the name of a host as DNS, certificates and protocols have it: in ASCII. What is ASCII already is
/// returned as it is, and not looked at; of other names, in UTF-8, each part becomes `xn--...`.
///
/// ```cpp
/// troupe::ascii_host_name("Bücher.example").value(); // "xn--bcher-kva.example"
/// ```
///
/// Whatever connects by name does this, so a program does it only to compare or to show names.
///
/// Fails with: `errc::invalid_address` if it cannot be the name of a host, or would be one with other
///             characters in it than letters, digits, `-`, `.` and `_`; `errc::not_supported` if this build
///             has no libidn2
/// Thread: any. Source: IDNA 2008 (RFC 5891) with the mappings of UTS 46, non-transitional
[[nodiscard]] outcome<std::string> ascii_host_name(std::string_view name);

} // namespace troupe
