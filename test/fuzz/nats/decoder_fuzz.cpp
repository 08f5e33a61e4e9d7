// Whatever a server sends: the same events in one piece, in single bytes and in pieces of three; bounded memory.

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "../../net/protocols/nats/decoder_events.hpp"

using namespace troupe;

namespace {

constexpr nats_decoder_limits limits{.max_line = 256, .max_message = 512};

std::vector<std::string> events_of(std::string_view input, std::size_t piece) {
  testing::decoder_events events;
  nats_decoder decoder{limits};
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    const auto r = decoder.feed(input.substr(0, piece), events);
    if (decoder.kept() > limits.max_line + limits.max_message + 8)
      std::abort();
    if (r.error) {
      events.add("! " + r.error.message(), {});
      break;
    }
  }
  return events.all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto whole = events_of(input, input.size() + 1);
  auto single = events_of(input, 1);
  if (single.size() + 1 == whole.size() && whole.back().starts_with("! "))
    single.push_back(whole.back()); // a large piece may show earlier that a message has no end
  if (single != whole || events_of(input, 3).size() > whole.size())
    std::abort();
  return 0;
}
