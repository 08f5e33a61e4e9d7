#include <troupe/basic/int_n_parser.hpp>

#include "../splits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::int_n_parser;
  constexpr std::size_t max = 1000;
  if (size == 0)
    return 0;
  const auto prefix = static_cast<std::uint8_t>(1 << data[0] % 3);
  troupe::fuzz::same_for_splits({reinterpret_cast<const char*>(data) + 1, size - 1},
                                [&](const troupe::testing::split_input& split) {
                                  return troupe::fuzz::strings_of(
                                    int_n_parser{prefix, max}, max, split, [](const auto& p) {
                                      return "too long: " + std::to_string(p.length());
                                    });
                                });
  return 0;
}
