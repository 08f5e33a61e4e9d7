#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/leases/lease_store.hpp>

namespace troupe::detail {

/// Returns a record, but for its revision, as the payload of a message: `lease 1 5000 chat-1/3f9a`, the third word being
/// milliseconds; a lease that nobody has ends there.
[[nodiscard]] std::string lease_text(const lease_record& record);

/// Reads that; nothing if it is none.
[[nodiscard]] std::optional<lease_record> lease_of_text(std::string_view text);

/// Returns `name` as one token of a subject.
[[nodiscard]] std::string lease_token(std::string_view name);

} // namespace troupe::detail
