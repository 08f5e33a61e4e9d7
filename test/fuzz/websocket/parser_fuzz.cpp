// Whatever a peer sends: the same events for every split, no more held than came, and text that is UTF-8.
// The first byte says who sends, and whether messages may be packed.

#include <cstdint>
#include <cstdlib>

#include "../../net/protocols/websocket/parser_events.hpp"
#include "../splits.hpp"

using namespace troupe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto from =
    (data[0] & 1) != 0 ? websocket_parser::peer::client : websocket_parser::peer::server;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  constexpr websocket_limits limits{.max_message = 300, .max_fragments = 5};
  fuzz::same_for_splits(input, [&](const testing::split_input& split) {
    websocket_parser parser{from, limits};
    parser.set_deflated((data[0] & 2) != 0);
    std::vector<std::string> events;
    split.feed([&](std::string_view piece) {
      const bool on = testing::feed_websocket(parser, piece, events);
      if (parser.held() > limits.max_message + 125)
        std::abort();
      return on;
    });
    for (const auto& e : events)
      if (e.starts_with("text ") && !detail::is_utf8(std::string_view{e}.substr(5)))
        std::abort();
    return events;
  });
  return 0;
}
