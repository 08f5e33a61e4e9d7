#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

namespace troupe::testing {

/// Records all that it gets; `on_line`, `on_raw` and `on_exceeded` do what a test wants done.
class line_recorder : public line_receiver {
public:
  using line_receiver::line_receiver;

  void line_received(std::string_view line) override {
    received.emplace_back(line);
    if (on_line)
      on_line(line);
  }
  void raw_data_received(bytes_view data) override {
    received.push_back("raw:" + std::string{as_text(data)});
    if (on_raw)
      on_raw(as_text(data));
  }
  void line_length_exceeded(bytes_view data) override {
    exceeded.emplace_back(as_text(data));
    if (on_exceeded)
      on_exceeded(as_text(data));
    else
      line_receiver::line_length_exceeded(data);
  }
  void connection_lost(const failure& why) override {
    ended.push_back(why.message()), reason = why;
  }

  std::vector<std::string> received;
  std::vector<std::string> exceeded;
  std::vector<std::string> ended;
  failure reason;
  std::function<void(std::string_view)> on_line, on_raw, on_exceeded;
};

} // namespace troupe::testing
