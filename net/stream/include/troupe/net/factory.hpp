#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>

#include <troupe/net/net_address.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/buildable.hpp>
#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {

class listening_port;

namespace detail {
struct connection_counts;
struct ended_connection;
} // namespace detail

/// Owns a protocol that is built and has no connection yet.
class protocol_ptr {
public:
  protocol_ptr() noexcept = default;
  protocol_ptr(std::nullptr_t) noexcept {}
  explicit protocol_ptr(caf::strong_actor_ptr actor) noexcept : actor_(std::move(actor)) {}

  explicit operator bool() const noexcept { return actor_ != nullptr; }
  [[nodiscard]] protocol* get() const noexcept {
    return static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(actor_));
  }
  protocol* operator->() const noexcept { return get(); }
  protocol& operator*() const noexcept { return *get(); }

private:
  caf::strong_actor_ptr actor_;
};

class factory_ref;

namespace detail {

/// A class of protocols that can be built as `P(cfg, args...)`.
template <class P, class... Args>
concept protocol_class = std::derived_from<P, protocol> && buildable<P, Args...>;

/// Stops the compiler with one line at the call where it is not one.
template <class P, class... Args>
constexpr void check_protocol() {
  static_assert(std::derived_from<P, protocol>,
                "what a connection speaks must be a class derived from troupe::protocol");
  if constexpr (std::derived_from<P, protocol>)
    check_buildable<P, Args...>();
}

} // namespace detail

/// The supervisor of its connections' protocols: builds, counts, limits and drains them.
///
/// It is an actor that is pinned to the loop where its ports or connectors are, mostly loop 0; the
/// protocols it builds may run on all loops. So what protocols share is reached by messages, to the
/// factory or to another actor. One factory may serve several ports. A protocol that fails takes
/// nothing else down with it.
///
/// Most need no class of their own: `factory::for_protocol<echo>()`. One that does:
///
/// ```cpp
/// class polite : public troupe::factory {
/// public:
///   using factory::factory;
///   troupe::protocol_ptr build_protocol(const troupe::net_address& peer) override {
///     if (peer.host() == "127.0.0.2")
///       return nullptr; // closes the connection at once
///     return make_protocol<echo>();
///   }
/// };
/// troupe::listen_tcp(rt, 7, troupe::factory::of<polite>());
/// ```
///
/// Thread: its loop's. Source: twisted.internet.protocol.Factory, ServerFactory
class factory : public pinned_actor {
public:
  using super = pinned_actor;

  explicit factory(caf::actor_config& cfg) : super(cfg), family_(std::make_shared<family>()) {}

  /// Returns a factory that builds `P(cfg, args...)` for each connection. It is started by the
  /// first port that uses it.
  template <class P, class... Args>
  [[nodiscard]] static factory_ref for_protocol(Args&&... args);

  /// Returns a factory of class `F`, built as `F(cfg, args...)`.
  template <class F, class... Args>
  [[nodiscard]] static factory_ref of(Args&&... args);

  // -- what to override -------------------------------------------------------------------------

  /// Returns the protocol for a connection from `peer`: `make_protocol<P>(args...)`; or nothing, and
  /// the connection is closed at once. If it throws, that is logged, and the connection closed.
  [[nodiscard]] virtual protocol_ptr build_protocol(const net_address& peer) = 0;

  /// Called before the first of its ports listens. If it throws, that reaches whoever opened the
  /// port, or connects, and there is no port; the factory lives, and the next attempt calls this
  /// again.
  virtual void start_factory() {}

  /// Called when the last of its ports has stopped. Connections may still be open.
  virtual void stop_factory() {}

  /// Returns the name under which this factory logs: its class, unless overridden.
  [[nodiscard]] virtual std::string log_prefix() const;

  /// Returns how it takes messages: none, unless overridden.
  caf::behavior make_behavior() override;

  // -- limits -----------------------------------------------------------------------------------

  /// Says whether it logs on its own account: its start and stop at debug level, and as a client's
  /// factory why connections fail. It does.
  bool noisy = true;

  /// Lets at most `count` connections be open at once. More of them wait in the system's listen
  /// queue, and are accepted when one closes. Each factory counts for itself: with ports on several
  /// loops (`listen_options::reuse_port`), one that is full keeps those waiting that the system gave
  /// to its port, though others may have room.
  void set_max_connections(std::size_t count);
  [[nodiscard]] std::size_t max_connections() const noexcept { return max_connections_; }

  /// Returns how many connections of this factory are open.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_; }

  /// Closes all connections once what was written to them is sent. Ports go on.
  ///
  /// \returns a deferred that fires when no connection is open any more; it may be dropped
  chained<void> drain();

  // -- for ports --------------------------------------------------------------------------------

  /// Counts a port that starts, in a turn of its own: it may be called by any actor of its loop.
  ///
  /// \throws what `start_factory` throws, and then nothing is counted
  /// \throws std::system_error with `errc::actor_down` if it has ended, and has no successor
  void begin_use();

  /// As `begin_use`, as the factory itself.
  void do_start();

  void do_stop(); ///< counts a port that has stopped; throws what `stop_factory` throws

  /// Builds a protocol that will run on `where`; empty if there is to be none.
  virtual protocol_ptr build(const net_address& peer, event_loop& where);

  /// Tells whether one more connection may be open.
  [[nodiscard]] virtual bool has_room() const noexcept {
    return connections_ < max_connections_ && !awaits_successor() && !(supervised_ && stopping_);
  }

  /// Tells whether it has ended, and its supervisor makes another one, which takes over its ports.
  [[nodiscard]] bool awaits_successor() const noexcept { return supervised_ && has_ended(); }

  /// Runs `fn` once there is room, or may be.
  virtual void when_room(task fn) { waiting_.push_back(std::move(fn)); }

  /// Counts the end of a protocol. Thread: any.
  static void child_ended(caf::strong_actor_ptr self, const detail::ended_connection& how);

  /// Returns what is counted under this factory's name, on its loop. Thread: its loop's.
  [[nodiscard]] detail::connection_counts& counts();

  const char* name() const override { return "factory"; }

  /// Returns the name under which it logs.
  [[nodiscard]] std::string log_name() const override;

  /// Drops what waits for room. An override calls it.
  void on_exit() override;

protected:
  /// Builds `P(cfg, args...)` on the loop of the connection.
  ///
  /// \throws std::logic_error outside of `build_protocol`
  template <class P, class... Args>
  [[nodiscard]] protocol_ptr make_protocol(Args&&... args) {
    detail::check_protocol<P, Args...>();
    if constexpr (detail::protocol_class<P, Args...>) {
      caf::actor_config cfg{&connection_loop()};
      return protocol_ptr{caf::actor_cast<caf::strong_actor_ptr>(
        system().template spawn_impl<P, caf::hidden + caf::lazy_init>(
          cfg, std::forward<Args>(args)...))};
    } else {
      return nullptr;
    }
  }

  /// Returns the loop of the connection. \throws std::logic_error outside of `build_protocol`
  [[nodiscard]] event_loop& connection_loop() const;

  void stop_requested() override;

  /// Tells whether nothing is left that the factory has to hear of. When the runtime stops, it stays
  /// until then.
  [[nodiscard]] virtual bool idle() const noexcept { return connections_ == 0; }

  /// Ends the factory if the runtime stops and it is idle.
  void end_if_stopping();

  /// Takes over what `old`, which has ended, leaves to its successor. An override calls it.
  virtual void take_over(factory& old);

private:
  friend class factory_ref;

  // The factories that a supervisor made one after the other.
  struct family {
    caf::weak_actor_ptr latest; // counts the connections of all; null while there is one only
  };

  void one_less(const detail::ended_connection& how);
  void be_supervised();
  [[nodiscard]] bool has_ended() const noexcept { return getf(is_cleaned_up_flag); }
  [[nodiscard]] bool serves(const protocol& p) const; // as its own, or through a wrapper

  std::size_t ports_ = 0;
  std::size_t connections_ = 0;
  std::size_t max_connections_ = 65536;
  event_loop* where_ = nullptr; // within build_protocol
  bool stopping_ = false;
  bool supervised_ = false;        // so another one follows after its end
  std::shared_ptr<family> family_; // shared with predecessors and successors
  std::vector<task> waiting_;      // for room
  std::vector<promise<void>> draining_;
  std::shared_ptr<detail::connection_counts> counts_; // from their first use
};

/// Refers to a factory, started or not; copies refer to the same one.
///
/// It is started by what uses it first, on the loop of that, and belongs to that loop from then on.
///
/// Thread: its loop's, or before `run()`.
class factory_ref {
public:
  using start_function = std::function<caf::strong_actor_ptr(caf::actor_system&, event_loop&)>;

  explicit factory_ref(start_function start)
    : state_(std::make_shared<state>(state{std::move(start), nullptr})) {}

  /// Starts the factory's actor on `loop` unless it is started.
  factory& start(caf::actor_system& sys, event_loop& loop) const {
    if (!state_->actor)
      state_->actor = state_->start(sys, loop);
    return *get();
  }

  /// As `start`, as the child of a supervisor: a factory that has ended is made anew. The new one
  /// takes over ports and limits, and counts the connections of the old one, which go on. Ports wait
  /// while there is none.
  ///
  /// \returns the actor, or null if it has ended again
  /// \throws what `start_factory` throws
  [[nodiscard]] caf::actor start_supervised(caf::actor_system& sys, event_loop& loop) const;

  /// Returns the factory, which runs or did.
  ///
  /// \throws std::logic_error before it is started, which the first port or connector that uses it
  ///         does: `listen_tcp(rt, 8123, f); f.get()->set_max_connections(1000);`
  [[nodiscard]] factory* get() const {
    auto* const f = started();
    if (f == nullptr) [[unlikely]]
      refuse();
    return f;
  }

  /// Returns the factory, or null before it is started.
  [[nodiscard]] factory* started() const noexcept {
    return state_->actor
             ? static_cast<factory*>(caf::actor_cast<caf::abstract_actor*>(state_->actor))
             : nullptr;
  }

  /// Returns a handle to send messages to; empty before it is started.
  [[nodiscard]] caf::actor actor() const {
    return state_->actor ? caf::actor_cast<caf::actor>(state_->actor) : caf::actor{};
  }

private:
  [[noreturn]] static void refuse();

  struct state {
    start_function start;
    caf::strong_actor_ptr actor;
  };
  std::shared_ptr<state> state_;
};

namespace detail {

/// Builds the same kind of protocol from the same arguments every time.
template <class P, class... Args>
class simple_factory : public factory {
public:
  simple_factory(caf::actor_config& cfg, std::tuple<Args...> args)
    : factory(cfg), args_(std::move(args)) {}

  protocol_ptr build_protocol(const net_address&) override {
    return std::apply([this](auto&... args) { return this->template make_protocol<P>(args...); },
                      args_);
  }

  std::string log_prefix() const override { return "factory of " + detail::class_name(typeid(P)); }

private:
  std::tuple<Args...> args_;
};

} // namespace detail

template <class F, class... Args>
factory_ref factory::of(Args&&... args) {
  static_assert(std::derived_from<F, factory>,
                "what builds protocols must be a class derived from troupe::factory");
  if constexpr (std::derived_from<F, factory>)
    detail::check_buildable<F, const std::decay_t<Args>&...>();
  if constexpr (std::derived_from<F, factory> && detail::buildable<F, const std::decay_t<Args>&...>)
    return factory_ref{[args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)](
                         caf::actor_system& sys, event_loop& loop) {
      caf::actor_config cfg{&loop};
      return std::apply(
        [&](const auto&... a) {
          return caf::actor_cast<caf::strong_actor_ptr>(sys.spawn_impl<F, caf::hidden>(cfg, a...));
        },
        args);
    }};
  else
    return factory_ref{nullptr};
}

template <class P, class... Args>
factory_ref factory::for_protocol(Args&&... args) {
  detail::check_protocol<P, std::decay_t<Args>&...>();
  if constexpr (detail::protocol_class<P, std::decay_t<Args>&...>) {
    using made = detail::simple_factory<P, std::decay_t<Args>...>;
    return of<made>(std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...));
  } else {
    return factory_ref{nullptr};
  }
}

} // namespace troupe
