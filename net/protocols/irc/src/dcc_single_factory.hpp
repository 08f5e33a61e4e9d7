#pragma once

#include <memory>
#include <utility>

#include <troupe/net/factory.hpp>

namespace troupe::irc {

/// Builds the one protocol of a transfer, and ends with its port.
template <class P, class Of>
class dcc_single_factory final : public factory {
public:
  dcc_single_factory(caf::actor_config& cfg, std::shared_ptr<Of> of)
    : factory(cfg), of_(std::move(of)) {
    noisy = false;
  }
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<P>(of_); }
  void stop_factory() override { quit(); }
  std::string log_prefix() const override { return "factory of " + detail::class_name(typeid(P)); }

private:
  const std::shared_ptr<Of> of_;
};

} // namespace troupe::irc
