#include <troupe/net/stdio_endpoint.hpp>

#include <cerrno>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/detail/standard_descriptors.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
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

  [[nodiscard]] const std::exception_ptr& not_begun() const noexcept { return not_begun_; }

  void on_exit() override {
    try {
      close();
    } catch (...) {
      detail::log_exception(loop().scheduler().logger(), factory_.get()->log_prefix(),
                            "stop_factory");
    }
    port_actor::on_exit();
  }

private:
  void begin() {
    try {
      factory_.get()->begin_use();
    } catch (...) {
      not_begun_ = std::current_exception();
      return quit(make_error(errc::not_listening));
    }
    counted_ = true;
    if (loop().is_current())
      hand_over();
    else // before run()
      loop().post([this, self = caf::strong_actor_ptr{ctrl()}] {
        enter([this] {
          if (!stopped_)
            hand_over();
        });
      });
  }

  void hand_over() {
    auto& f = *factory_.get();
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
  bool counted_ = false;         // by the factory
  std::exception_ptr not_begun_; // why the factory did not start
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
    const auto handle = rt_.system().spawn_impl<stdio_port, caf::hidden>(cfg, f, options_);
    auto& made = *static_cast<stdio_port*>(caf::actor_cast<caf::abstract_actor*>(handle));
    made.enter([] {}); // begins
    if (made.not_begun())
      std::rethrow_exception(made.not_begun());
    return detail::port_actor::port_of(handle);
  });
}

} // namespace troupe
