#pragma once

#include <memory>
#include <string>

#include <troupe/net/telnet_filter.hpp>
#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

/// Keeps telnet's commands from its protocol, and answers them: a `telnet_filter` as a wrapper.
///
/// What the protocol writes is passed on as it is.
class telnet_filtering_protocol : public protocol_wrapper {
public:
  void data_received(bytes_view data) override;

private:
  telnet_filter filter_;
};

/// Lets people reach the protocols of another factory with a telnet client.
///
/// ```cpp
/// auto f = troupe::factory::for_protocol<chat>(room);
/// f = troupe::factory::of<troupe::telnet_filtering_factory>(f);
/// ```
///
/// Thread: that of its port's loop.
class telnet_filtering_factory : public wrapping_factory {
public:
  using wrapping_factory::wrapping_factory;

  std::unique_ptr<protocol_wrapper> make_wrapper() override;
};

} // namespace troupe
