// Whatever stands where headers should: what is read can be written, and is read again as the same.

#include <cstdint>
#include <cstdlib>

#include <troupe/nats/nats_headers.hpp>
#include <troupe/nats/nats_server_info.hpp>

using namespace troupe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (const auto read = nats_headers::parse(input)) {
    const auto again = nats_headers::parse(read->block());
    if (!again || *again != *read || read->status() != nats_status(input))
      std::abort();
    for (const auto& [name, value] : read->entries())
      if (nats_header(input, name) != read->get(name))
        std::abort();
  }
  (void)nats_server_info::parse(input).has_value();
  return 0;
}
