#pragma once

#include <functional>
#include <utility>

#include <troupe/net/factory.hpp>

#include "support/echo.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// Tells what is asked of it; its answers are set from outside.
class told_factory : public factory {
public:
  told_factory(caf::actor_config& cfg, events* log,
               std::function<protocol_ptr(told_factory&)> build = {},
               std::function<void()> stop = {})
    : factory(cfg), log_(log), build_(std::move(build)), stop_(std::move(stop)) {}
  using factory::make_protocol;
  protocol_ptr build_protocol(const net_address&) override {
    log_->add("build");
    return build_ ? build_(*this) : make_protocol<echo>();
  }
  void start_factory() override { log_->add("start"); }
  void stop_factory() override {
    log_->add("stop");
    if (stop_)
      stop_();
  }

private:
  events* log_;
  std::function<protocol_ptr(told_factory&)> build_;
  std::function<void()> stop_;
};

} // namespace troupe::testing
