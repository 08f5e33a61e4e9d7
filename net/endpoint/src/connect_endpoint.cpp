#include "connect_endpoint.hpp"

#include <optional>

#include <troupe/runtime/loop_scheduler.hpp>

#include "connecting.hpp"

namespace troupe::detail {

namespace {

using result = promise<connected_protocol>;

/// One attempt: its connector, and who waits for it.
struct attempt {
  std::optional<result> waiting{}; // until there is a result
  connector made{};

  /// Returns what waits, if anything still does, and lets go of the connector.
  std::optional<result> finish() {
    made = {};
    return std::exchange(waiting, std::nullopt);
  }
};

/// The factory of one connection. It lives until that has ended.
class endpoint_factory final : public client_factory {
public:
  endpoint_factory(caf::actor_config& cfg, factory_ref inner, std::shared_ptr<attempt> of)
    : client_factory(cfg), inner_(std::move(inner)), attempt_(std::move(of)) {
    noisy = false;
  }

  void start_factory() override {
    inner_.get()->begin_use();
    started_ = true;
  }

  void stop_factory() override {
    if (std::exchange(started_, false)) {
      bool lives = false;
      inner_.get()->enter([&] {
        lives = true;
        inner_.get()->do_stop();
      });
      if (!lives) // the runtime stops, and it had no connection any more
        inner_.get()->do_stop();
    }
    quit();
  }

  // The inner factory counts the connection, and is the one that the protocol knows.
  protocol_ptr build(const net_address& peer, event_loop& where) override {
    protocol_ptr built;
    inner_.get()->enter([&] { built = inner_.get()->build(peer, where); });
    return built;
  }
  protocol_ptr build_protocol(const net_address&) override { return nullptr; }

  void client_connection_made(connector& c, const protocol_ptr& p) override {
    auto waiting = attempt_->finish();
    if (waiting && !waiting->called())
      waiting->callback(connected_protocol{caf::strong_actor_ptr{p->ctrl()}});
    else // it was cancelled when there was no way back
      c.disconnect();
  }

  void client_connection_failed(connector&, const failure& why) override {
    auto waiting = attempt_->finish();
    if (waiting && !waiting->called())
      waiting->errback(why);
    if (!started_) // there is nothing to stop
      quit();
  }

  std::string log_prefix() const override { return inner_.get()->log_prefix(); }

  void on_exit() override {
    attempt_->finish(); // if nothing came of it, that breaks the promise
    client_factory::on_exit();
  }

private:
  const factory_ref inner_;
  const std::shared_ptr<attempt> attempt_;
  bool started_ = false; // the inner one, by this one
};

} // namespace

deferred<connected_protocol>
connect_endpoint(runtime& rt, std::size_t where, const factory_ref& f,
                 const std::function<connector(const client_factory_ref&)>& start) {
  try {
    auto& loop = place_of(rt, where).loop;
    if (loop.stopping()) // a connector would do nothing
      return fail<connected_protocol>(errc::runtime_stopped);
    expect_on_loop(f, loop);
    f.start(rt.system(), loop);
    const auto made = std::make_shared<attempt>();
    made->waiting.emplace([weak = std::weak_ptr<attempt>(made)] {
      if (const auto self = weak.lock()) {
        auto c = self->made;
        if (c.get_state() == connector::state::connecting)
          c.stop_connecting();
      }
    });
    auto waiting = made->waiting->get_deferred();
    auto c = start(client_factory::of<endpoint_factory>(f, made));
    if (made->waiting) // else it has failed already
      made->made = std::move(c);
    return waiting;
  } catch (...) {
    return fail<connected_protocol>(failure::current());
  }
}

deferred<listening_port> listen_endpoint(const std::function<listening_port()>& start) {
  try {
    return succeed(start());
  } catch (...) {
    return fail<listening_port>(failure::current());
  }
}

} // namespace troupe::detail
