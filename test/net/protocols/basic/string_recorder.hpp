#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/basic/int_n_receiver.hpp>
#include <troupe/basic/netstring_receiver.hpp>
#include <troupe/testing/protocol_fixture.hpp>

namespace troupe::testing {

/// Records the strings that a receiver `R` gets; `on_string` does what a test wants done.
template <class R>
class string_recorder : public R {
public:
  using R::R;

  void string_received(std::string_view string) override {
    received.emplace_back(string);
    if (on_string)
      on_string(string);
  }
  void connection_lost(const failure& why) override { reason = why; }

  std::vector<std::string> received;
  failure reason;
  std::function<void(std::string_view)> on_string;
};

} // namespace troupe::testing
