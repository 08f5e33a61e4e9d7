#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>

#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/detail/spawn_fwd.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/make_actor.hpp>
#include <caf/response_type.hpp>

#include <troupe/runtime/detail/actor_storage.hpp>
#include <troupe/runtime/detail/local_message.hpp>
#include <troupe/runtime/detail/match_case.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class thread_pool;

namespace detail {

/// Takes the response to one request.
class response_taker {
public:
  virtual ~response_taker() = default;
  virtual void take_response(caf::type_erased_tuple& content) = 0;
};

/// Something that an actor owes, and whose end it hears of.
class debt {
public:
  virtual ~debt() = default;
  virtual void debtor_ended() = 0;
};

struct awaited;
struct awaited_response;
class coroutine_base;

/// A flag of an actor that CAF does not use: it feeds one that has no room.
inline constexpr int is_held_flag = 0x0080'0000;

/// Another one: `basic_actor::spawn` made it.
inline constexpr int queued_first_flag = 0x0004'0000;

/// Tells whether an actor of this class is launched as CAF launches it, and is in memory of Troupe's.
template <class T>
concept queued_when_spawned =
  std::same_as<decltype(&T::launch),
               void (caf::scheduled_actor::*)(caf::execution_unit*, bool, bool)> && alignof(T)
  <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

} // namespace detail

/// What Troupe's actors share, beyond CAF's event-based actor of which they have everything.
///
/// - The timeout of a request is taken back when its response arrives. CAF itself keeps it, and
///   the requester with it, until it expires.
/// - A message for which there is no handler is counted, and told of in the log, once for each kind
///   and then how often (`runtime::repeats`); who asked gets `errc::no_handler`. CAF itself prints
///   each to standard output.
/// - A message to an actor that has ended, or that ends with it in its mailbox, is counted, and told of
///   likewise, at level debug.
/// - An exception that leaves a handler is logged, with the actor's name and where it came from, and ends
///   the actor with that exception as its reason.
///
/// Derive from `floating_actor` or `pinned_actor`.
///
/// Thread: the loop that runs the actor; `enqueue` and what CAF documents: any.
class basic_actor : public caf::event_based_actor {
public:
  using super = caf::event_based_actor;

  explicit basic_actor(caf::actor_config& cfg);
  ~basic_actor() override;

  /// Sends `{xs...}` to `to`, as CAF's `send` does. Of values, the message is made in the mailbox's element, in
  /// memory that the thread keeps for messages.
  ///
  /// \tparam P  `caf::message_priority::high` comes before all messages that are not
  /// \param to  a handle, also a typed one, or a group; a handle of nobody drops the message
  template <caf::message_priority P = caf::message_priority::normal, class Dest, class... Ts>
  void send(const Dest& to, Ts&&... xs) {
    if constexpr (detail::makes_local_message<Dest, Ts...>) {
      static_assert(caf::response_type_unbox<
                      caf::signatures_of_t<Dest>,
                      caf::detail::type_list<caf::detail::strip_and_convert_t<Ts>...>>::valid,
                    "receiver does not accept given message");
      if (to)
        to->enqueue(detail::make_local_message(reference_to_this(), caf::make_message_id(P),
                                               std::forward<Ts>(xs)...),
                    context());
    } else {
      super::send<P>(to, std::forward<Ts>(xs)...);
    }
  }

  using super::spawn;

  /// Makes an actor of class `T`, as CAF's `spawn` does, on the loop where this one runs. For one of Troupe's, CAF's log is
  /// not brought into the thread, which counts references to it, since the actor would drop it at once.
  template <std::derived_from<basic_actor> T, caf::spawn_options Os = caf::no_spawn_options,
            class... Ts>
  caf::infer_handle_from_class_t<T> spawn(Ts&&... xs) {
    if constexpr (Os == caf::no_spawn_options) {
      if (auto* const host = context()) {
        caf::actor_config cfg{host, this};
        if constexpr (detail::queued_when_spawned<T>) {
          cfg.add_flag(detail::queued_first_flag);
          const auto& own = *caf::actor_control_block::from(this);
          auto* const made =
            new caf::actor_storage<T>(detail::queued_at_once{}, own.home_system->next_actor_id(),
                                      own, cfg, caf::detail::spawn_fwd<Ts>(xs)...);
          const caf::infer_handle_from_class_t<T> handle{&made->ctrl, false};
          queue_first(made->data, *host);
          return handle;
        }
        auto& sys = system();
        auto made = caf::make_actor<T>(sys.next_actor_id(), sys.node(), &sys, cfg,
                                       caf::detail::spawn_fwd<Ts>(xs)...);
        static_cast<T*>(caf::actor_cast<caf::abstract_actor*>(made))->launch(host, false, false);
        return made;
      }
    }
    return super::spawn<T, Os>(std::forward<Ts>(xs)...);
  }

  /// Ends this actor behind the message that it handles, as CAF's `quit` does.
  void quit(caf::error reason = {});

  /// Runs `fn` as `actor`, in order with the messages that the calling thread sends to it: never
  /// beside the actor's other code, and not at all if the actor has ended.
  ///
  /// \param actor  must be a `basic_actor` of this process
  /// Thread: any.
  static void run_as(const caf::strong_actor_ptr& actor, task fn);

  /// As `run_as`, but before all messages that wait. \param unit what resumes the actor; null for any loop
  static void run_urgently(const caf::strong_actor_ptr& actor, task fn, caf::execution_unit* unit);

  /// Tells whether this actor is stopped because one that it feeds has no room (`full_mailbox::push_back`).
  /// Thread: its own.
  [[nodiscard]] bool held_back() const noexcept { return getf(detail::is_held_flag); }

  // For the runtime, as this actor: it is stopped, or there is room again.
  void begin_hold();
  void end_hold();

  // For the runtime, as this actor: puts Troupe's handlers where CAF's stand, before one is called.
  void complete_handlers();

  /// Returns the threads of the runtime that are for calls that block. Thread: any.
  [[nodiscard]] thread_pool& pool() const;

  /// Sends `content` as a request, and hands the response to `taker`; that is what `ask` stands on.
  ///
  /// Unlike CAF's own `request`, whose table of pending responses is searched from one end to the
  /// other, it takes the same time however many are pending. If the actor ends first, `taker` is
  /// destroyed. `timeout`: `duration::max()` for none.
  void send_request(const caf::strong_actor_ptr& receiver, duration timeout, caf::message content,
                    std::shared_ptr<detail::response_taker> taker);

  /// As above, with `{xs...}` as the content.
  template <class... Ts>
  void send_request_of(const caf::strong_actor_ptr& receiver, duration timeout,
                       std::shared_ptr<detail::response_taker> taker, Ts&&... xs) {
    if constexpr (detail::makes_local_message<caf::actor, Ts...>) {
      const auto id = begin_request(timeout, std::move(taker));
      if (id.is_request())
        receiver->enqueue(
          detail::make_local_message(reference_to_this(), id, std::forward<Ts>(xs)...), context());
    } else {
      send_request(receiver, timeout, caf::make_message(std::forward<Ts>(xs)...), std::move(taker));
    }
  }

  /// Keeps `taker` until the response to the returned request comes, from any thread, by
  /// `enqueue(nullptr, request.response_id(), content, nullptr)`. Keeps the actor alive until then. If the actor
  /// ends first, `taker` is destroyed, in its thread.
  [[nodiscard]] caf::message_id expect_response(std::shared_ptr<detail::response_taker> taker);

  /// Calls `debtor_ended()` of `what` when the actor ends, or now if it has, unless it is gone by
  /// then.
  void owe(const std::shared_ptr<detail::debt>& what);

  /// Returns how the log names this actor: its class, with what tells it from others of that class: its
  /// number, or as whose child it runs. A connection's protocol has its peer there.
  [[nodiscard]] virtual std::string log_name() const;

  // -- CAF's side -------------------------------------------------------------------------------

  void initialize() override;
  using super::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* host) override;
  using super::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;
  bool cleanup(caf::error&& reason, caf::execution_unit* host) override;

protected:
  /// Handles what is no plain message for the behavior, or one that it has no handler for. An override calls that of
  /// its base.
  virtual caf::invoke_message_result consume_other(caf::mailbox_element& x);

  /// Runs `fn(arg)` as this actor: as if it were its own code.
  virtual void run_inside(void (*fn)(void*), void* arg) { fn(arg); }

  /// Called when this actor is stopped because one that it feeds has no room, inside the send that found it
  /// so, and when it goes on, in a turn of its own. Messages then wait by themselves; who takes work elsewhere
  /// than in its mailbox overrides this, and stops. An override calls that of its base.
  virtual void hold_back(bool /*stopped*/) {}

  /// Logs the exception that is being handled, with where it came from. Whatever `log_name` throws
  /// meanwhile is left out.
  void log_current_exception() const noexcept;

private:
  friend class detail::coroutine_base;

  caf::strong_actor_ptr reference_to_this() {
    return detail::this_turn.take(caf::actor_control_block::from(this));
  }
  static void queue_first(basic_actor& made,
                          caf::execution_unit& host); // with the queue's reference
  void count_as_running();
  void count_as_ended() noexcept;
  // Returns no request's number if the actor has ended; the taker dies with it.
  caf::message_id begin_request(duration timeout, std::shared_ptr<detail::response_taker> taker);
  void expect_own_thread();
  detail::awaited_response& await_response(caf::message_id id,
                                           std::shared_ptr<detail::response_taker> taker);
  void keep_alive(bool on);
  bool has_ended() const noexcept;
  detail::coroutine_base** waiting_coroutines(); // the list's head; null if the actor has ended

  std::unique_ptr<detail::awaited> awaited_; // made at the first request
};

} // namespace troupe
