#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/net/text_line_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

// [wrong]
class forgetful_log : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override { lines.push_back(line); }
  std::vector<std::string_view> lines;
};
// [/wrong]

// [right]
class good_log : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;
  void line_received(std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};
// [/right]

// [network]
/// Delivers two lines out of one buffer, as a network does.
template <class Log>
void deliver_two_lines() {
  troupe::testing::protocol_fixture<Log> t;
  char buffer[] = "first\n";
  t.deliver(std::string_view{buffer});
  std::string_view{"again\n"}.copy(buffer, 6); // the next bytes from the network
  t.deliver(std::string_view{buffer});
  for (const auto& line : t->lines)
    std::printf("kept: %s\n", std::string{line}.c_str());
}
// [/network]
