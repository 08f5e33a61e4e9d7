#include "connect_endpoint.hpp"

#include <optional>
#include <unordered_map>
#include <utility>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

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

class endpoint_factory;

/// The endpoint factories of one loop, by the factories whose protocols they connect.
class endpoint_factories final : public asio::execution_context::service {
public:
  using key_type = endpoint_factories; // as Asio wants it
  using table = std::unordered_map<const factory*, client_factory_ref>;
  static inline asio::execution_context::id id;

  explicit endpoint_factories(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  const std::shared_ptr<table> all = std::make_shared<table>();

private:
  void shutdown() override { all->clear(); }
};

/// Stands between a factory and its connectors. It lives until the last of these connections has ended:
/// an actor for each would be a third of what an idle connection takes.
class endpoint_factory final : public client_factory {
public:
  endpoint_factory(caf::actor_config& cfg, factory_ref inner,
                   const std::shared_ptr<endpoint_factories::table>& shared)
    : client_factory(cfg), inner_(std::move(inner)), first_(inner_.actor()), shared_(shared) {
    noisy = false;
  }

  /// Begins to wait for what becomes of `of`, whose connector is there.
  void expect(const std::shared_ptr<attempt>& of) { attempts_.emplace(key(of->made), of); }

  /// Ends if it was made for nothing.
  void end_if_unused() {
    if (!started_ && attempts_.empty())
      quit();
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
    forget(); // at once: who connects in this very turn gets another one
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
    auto waiting = finish(c);
    if (waiting && !waiting->called())
      waiting->callback(connected_protocol{caf::strong_actor_ptr{p->ctrl()}});
    else // it was cancelled when there was no way back
      c.disconnect();
  }

  void client_connection_failed(connector& c, const failure& why) override {
    auto waiting = finish(c);
    if (waiting && !waiting->called())
      waiting->errback(why);
    end_if_unused(); // else `stop_factory` follows
  }

  std::string log_prefix() const override { return inner_.get()->log_prefix(); }

  void on_exit() override {
    forget();
    for (const auto& [connector, of] : std::exchange(attempts_, {}))
      of->finish(); // if nothing came of it, that breaks the promise
    client_factory::on_exit();
  }

private:
  // Its destination is where it is for as long as the connector.
  static const void* key(const connector& c) noexcept { return &c.get_destination(); }

  std::optional<result> finish(const connector& c) {
    const auto of = attempts_.extract(key(c));
    return of.empty() ? std::nullopt : of.mapped()->finish();
  }

  void forget() {
    const auto shared = shared_.lock();
    if (!shared)
      return;
    const auto found =
      shared->find(static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(first_)));
    if (found != shared->end() && found->second.started() == this)
      shared->erase(found);
  }

  const factory_ref inner_;
  const caf::actor first_; // what it is at first: a supervisor may make another one
  const std::weak_ptr<endpoint_factories::table> shared_; // with the others of the loop
  std::unordered_map<const void*, std::shared_ptr<attempt>> attempts_; // under way
  bool started_ = false;                                               // the inner one, by this one
};

// Returns the one of `f`, which runs on `loop`, or a new one.
client_factory_ref factory_for(const factory_ref& f, event_loop& loop) {
  const auto& all = asio::use_service<endpoint_factories>(loop.io()).all;
  // Before the loop runs, attempts begin later, and an earlier one may be over by then.
  if (!loop.is_current())
    return client_factory::of<endpoint_factory>(f, std::shared_ptr<endpoint_factories::table>{});
  bool lives = false;
  f.get()->enter([&lives] { lives = true; });
  if (const auto found = all->find(f.get()); found != all->end() && lives)
    return found->second;
  auto made = client_factory::of<endpoint_factory>(f, all);
  all->insert_or_assign(f.get(), made);
  return made;
}

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
    const auto through = factory_for(f, loop);
    auto& own = static_cast<endpoint_factory&>(through.start(rt.system(), loop));
    try {
      made->made = start(through);
    } catch (...) {
      own.enter([&own] { own.end_if_unused(); });
      throw;
    }
    own.expect(made);
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
