#include <troupe/net/stdio_endpoint.hpp>

#include <cerrno>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/detail/standard_descriptors.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "connect_endpoint.hpp"
#include "port_actor.hpp"
#include "stdio_transport.hpp"

namespace troupe {

namespace {

/// Hands the one connection over as soon as the loop turns.
class stdio_port final : public detail::port_actor {
public:
  stdio_port(caf::actor_config& cfg, factory_ref f, stdio_options options)
    : port_actor(cfg, {net_address::kind::none, "standard input and output", 0}),
      factory_(std::move(f)), options_(std::move(options)) {}

  caf::behavior make_behavior() override {
    if (!loop().stopping())
      begin();
    return {[](caf::unit_t) {
    }};
  }

  chained<void> stop_listening() override {
    stopped_ = true;
    return chained<void>(maybe_deferred([this] { close(); }));
  }

  void start_listening() override {
    throw std::logic_error("start_listening: standard input and output are one connection");
  }

  void on_exit() override {
    try {
      close();
    } catch (...) {
      const auto f = failure::current();
      loop().scheduler().logger().error("[{}] unhandled exception in stop_factory: {}: {}",
                                        factory_.get()->log_prefix(), f.type_name(), f.message());
    }
    port_actor::on_exit();
  }

private:
  void begin() {
    auto& f = *factory_.get();
    if (stopped_) // before the loop turned
      return;
    bool started = false;
    f.enter([&] {
      f.do_start();
      started = true;
    });
    if (!started) // start_factory threw, which ended the factory, or it had ended
      return quit(make_error(errc::not_listening, "the factory does not run"));
    counted_ = true;
    auto& where = loop().scheduler().next_loop();
    protocol_ptr built;
    f.enter([&] { built = f.build({}, where); });
    if (!built)
      return;
    auto join = [&where, built, options = options_] {
      detail::open_stdio(where, *built, options);
    };
    if (where.is_current())
      join();
    else
      where.post(std::move(join));
  }

  void close() {
    if (std::exchange(counted_, false))
      factory_.get()->do_stop(); // may throw
  }

  const factory_ref factory_;
  const stdio_options options_;
  bool stopped_ = false;
  bool counted_ = false; // by the factory
};

} // namespace

stdio_endpoint::stdio_endpoint(runtime& rt, stdio_options options)
  : rt_(rt), options_(std::move(options)) {}

deferred<listening_port> stdio_endpoint::listen(const factory_ref& f) {
  return detail::listen_endpoint([&] {
    for (const int fd : {options_.input, options_.output})
      if (detail::is_closed(fd))
        throw cannot_listen_error(
          {net_address::kind::none, fd == options_.input ? "standard input" : "standard output", 0},
          {EBADF, std::system_category()});
    auto& loop = rt_.scheduler().loop(0);
    f.start(rt_.system(), loop);
    caf::actor_config cfg{&loop};
    return detail::port_actor::port_of(
      rt_.system().spawn_impl<stdio_port, caf::hidden>(cfg, f, options_));
  });
}

} // namespace troupe
