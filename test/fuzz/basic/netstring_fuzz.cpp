#include <troupe/basic/netstring_parser.hpp>

#include "../splits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::netstring_parser;
  constexpr std::size_t max = 1000;
  troupe::fuzz::same_for_splits(
    {reinterpret_cast<const char*>(data), size}, [](const troupe::testing::split_input& split) {
      return troupe::fuzz::strings_of(netstring_parser{max}, max, split,
                                      [](const auto& p) { return to_string(p.error()); });
    });
  return 0;
}
