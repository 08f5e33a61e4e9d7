#include <troupe/net/proxy_header.hpp>

#include "../splits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  using status = proxy_header_parser::status;
  constexpr std::size_t max = 600;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  fuzz::same_for_splits(input, [&](const testing::split_input& split) {
    std::vector<std::string> events;
    proxy_header_parser parser{max};
    std::string left;
    std::size_t taken = 0;
    auto how = status::more;
    split.feed([&](std::string_view piece) {
      const auto before = piece.size();
      how = parser.next(piece);
      taken += before - piece.size();
      left += piece;
      if (taken > max || (how == status::more && !piece.empty()))
        std::abort();
      return how != status::failed;
    });
    if (how == status::failed)
      return std::vector<std::string>{std::string{to_string(parser.error())}};
    if (how == status::more)
      return std::vector<std::string>{"more"};
    const auto& header = parser.header();
    // What it has read can be written, and is read as it was.
    proxy_header_parser again{max};
    const auto written = proxy_header_v2(header, true);
    std::string_view rest = written;
    if (again.next(rest) != status::whole || !rest.empty() || again.header() != header)
      std::abort();
    return std::vector<std::string>{header.source.to_string(), header.destination.to_string(),
                                    left};
  });
  return 0;
}
