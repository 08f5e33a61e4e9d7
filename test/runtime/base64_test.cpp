#include <troupe/runtime/detail/base64.hpp>

#include <string>
#include <string_view>
#include <utility>

#include "support/catch.hpp"

using namespace troupe::detail;
using namespace std::string_view_literals;

TEST_CASE("base 64 there and back") {
  const std::pair<std::string_view, std::string_view> samples[] = {
    // RFC 4648, section 10, and more
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfd", "//79"},
    {"\0\0"sv, "AAA="},
  };
  for (const auto& [bytes, text] : samples) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all += static_cast<char>(i);
    CHECK(from_base64(to_base64(all)) == all);
  }
}

TEST_CASE("what is no base 64 is refused") {
  for (const auto bad : {"Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", " Zm9", "Zm9-",
                         "Zm_v", "Zm=v", "Zh==", "Zm9="}) {
    INFO(bad);
    CHECK_FALSE(from_base64(bad).has_value());
  }
}

TEST_CASE("base 64 for URLs has other digits, and no padding") {
  CHECK(to_base64_url("").empty());
  CHECK(to_base64_url("f") == "Zg");
  CHECK(to_base64_url("\xff\xfe\xfd") == "__79");
  CHECK(to_base64_url("\xfb") == "-w");
}
