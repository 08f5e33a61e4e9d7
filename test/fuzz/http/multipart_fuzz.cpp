// Whatever a client sends as a form: the same events for every split, no piece without data, and the limits kept.
// Its boundary is "xyz".

#include <cstdint>
#include <cstdlib>

#include "../../net/protocols/http/multipart_events.hpp"
#include "../splits.hpp"

using namespace troupe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  constexpr http_multipart_limits limits{.parts = 3, .head = 150, .name = 20};
  fuzz::same_for_splits(input, [&](const testing::split_input& split) {
    auto events = testing::multipart_events(split, "xyz", limits);
    if (events.size() > 2 * limits.parts + 1)
      std::abort();
    for (const auto& e : events)
      if (e == "a piece without data")
        std::abort();
    return events;
  });
  const std::string type{input};
  if (const auto boundary = http_multipart_parser::boundary_of("multipart/form-data;" + type))
    http_multipart_parser{*boundary}; // which takes what it finds
  return 0;
}
