// Whatever lies in a stream where leases should: what is read is written as it was read, and dates are no worse.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <troupe/nats/jetstream_types.hpp>

#include "lease_text.hpp"

using namespace troupe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (const auto read = detail::lease_of_text(input)) {
    const auto again = detail::lease_of_text(detail::lease_text(*read));
    if (!again || again->holder != read->holder || again->ttl != read->ttl
        || read->ttl > std::chrono::hours(24) || read->holder.size() > size)
      std::abort();
  }
  if (const auto time = microseconds_of_time(input); time && *time > 253'402'300'801'000'000)
    std::abort(); // behind the year 9999
  for (const char c : detail::lease_token(input))
    if (c == '.' || c == '*' || c == '>' || c <= ' ')
      std::abort();
  return 0;
}
