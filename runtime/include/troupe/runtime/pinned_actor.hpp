#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe {

namespace detail {

/// What may hold no function, as a `std::function` or a `task` may.
template <class F>
concept may_be_empty = !std::is_empty_v<F> && requires(const F& f) {
  f == nullptr;
};

} // namespace detail

/// What a log says of an actor.
struct actor_description {
  std::string kind; ///< such as "connection"; a plural is made of it
  std::string name; ///< such as "chat 127.0.0.1:5123"
};

/// An actor that never leaves its loop: the kind that owns sockets.
///
/// Its loop may enter it directly (`enter`) when something happens that concerns it, which takes
/// no message and no queue; messages reach it as they reach any actor. Both happen in its loop's
/// thread, so never at once.
///
/// It belongs to the loop on which it is spawned: `runtime::spawn_on`, or the loop of the actor
/// that spawns it; otherwise loops take turns. The loop keeps it alive, with or without handles,
/// from its first activation until it ends.
///
/// Thread: its loop's.
class pinned_actor : public basic_actor {
public:
  using super = basic_actor;

  explicit pinned_actor(caf::actor_config& cfg);
  ~pinned_actor() override;

  /// Returns the loop to which this actor is pinned. Thread: any.
  [[nodiscard]] event_loop& loop() const noexcept { return loop_; }

  /// Runs `fn` as this actor, `delay` after now and never before; never after the actor has ended.
  ///
  /// \throws std::logic_error if `delay` is negative or `fn` is empty
  /// Order: calls due at the same time run in the order in which they were made.
  delayed_call call_later(duration delay, task fn);

  /// As above. Nothing is allocated for a function of up to 32 bytes.
  template <class F>
  requires(std::invocable<std::decay_t<F>&>&&
             std::is_class_v<std::decay_t<F>> && !detail::may_be_empty<std::decay_t<F>>)
    delayed_call call_later(duration delay, F&& fn) {
    return schedule(delay, [this, f = std::forward<F>(fn)]() mutable {
      run_delayed([](void* arg) { static_cast<void>((*static_cast<std::decay_t<F>*>(arg))()); },
                  &f);
    });
  }

  /// Returns the calls that are pending, in no particular order.
  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const;

  /// Runs `fn` as this actor, now, in the loop's thread.
  ///
  /// Does nothing if the actor has ended. An exception that leaves `fn` is logged and ends the
  /// actor with it as reason. If `fn` makes the actor quit, it has ended when this returns, unless
  /// the actor is entered already further up the stack.
  ///
  /// \throws std::logic_error in the wrong thread; there it is `run_as`
  /// \param callback  the name of what is called, a literal: it says where a loop's time went
  template <class F>
  void enter(const char* callback, F&& fn) {
    loop_.expect_here("enter", "use run_as");  // before anything of the actor is looked at
    if (entered_ && !getf(is_cleaned_up_flag)) // else it has ended, and stays entered
      return void(fn());
    const caf::strong_actor_ptr alive{ctrl()};
    struct leave_guard {
      pinned_actor& self;
      caf::mailbox_element* before;
      caf::scheduled_actor* acting;
      ~leave_guard() { self.end_enter(before, acting); }
    };
    // After a message CAF's pointer to it dangles; code that runs without one must see none.
    auto* const before = current_mailbox_element();
    auto* const acting = loop_.acting_;
    if (!begin_enter(callback))
      return;
    const leave_guard guard{*this, before, acting};
    try {
      fn();
    } catch (...) {
      fail_with_current_exception();
    }
  }

  template <class F>
  void enter(F&& fn) {
    enter(nullptr, std::forward<F>(fn));
  }

  /// Ends this actor with `reason`: in its own code, once that code has returned; elsewhere on its
  /// loop's thread before this returns; on any other thread soon.
  void quit(caf::error reason = {});

  /// Says what this actor is to those who read what the runtime waits for, or had to end: "actor" and
  /// its class, unless overridden. Thread: its loop's.
  [[nodiscard]] virtual actor_description describe() const;

  /// Handles `message` at once, as if it had come out of the mailbox, if no other message waits and
  /// nothing of this actor is on the stack. Returns false if it did not: then `message` is untouched,
  /// and the caller may enqueue one. If it returns true, the actor may be gone.
  ///
  /// \param message  without a sender, no request or response, and none of CAF's own
  [[nodiscard]] bool handle_now(caf::mailbox_element& message);

  // -- CAF's side -------------------------------------------------------------------------------

  using super::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* eu) override;
  void launch(caf::execution_unit* eu, bool lazy, bool hide) override;
  void initialize() override;
  using super::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;

  /// Leaves the loop, and drops the delayed calls. An override calls it.
  void on_exit() override;

protected:
  /// Returns a behavior whose handlers are these member functions, and which all actors of the
  /// class share. One of its own costs an actor an allocation of some 50 bytes for each handler,
  /// which tells where there are very many.
  ///
  /// ```cpp
  /// caf::behavior make_behavior() override { return shared_behavior<&chat::said, &chat::left>(); }
  /// ```
  template <auto... Handlers>
  [[nodiscard]] static const caf::behavior& shared_behavior() {
    static const caf::behavior shared{handler(Handlers)...};
    return shared;
  }

  /// Called once when the runtime stops, or soon after the actor has begun if it begins only then; it
  /// should come to its end within the grace time. Does `quit(caf::exit_reason::user_shutdown)`
  /// unless overridden.
  virtual void stop_requested();

  /// Called inside the catch block when an exception left `enter`; ends the actor with it.
  virtual void fail_with_current_exception();

  void run_inside(void (*fn)(void*), void* arg) final;

  /// Tells whether this actor's code is on the stack: a message, a call of `enter`, or its end.
  [[nodiscard]] bool entered() const noexcept { return entered_; }

private:
  friend class event_loop;

  template <class Self, class R, class... Args>
  static auto handler(R (Self::*member)(Args...)) {
    return [member](Args... args) -> R {
      auto& self = static_cast<Self&>(*event_loop::current()->running());
      return (self.*member)(std::forward<Args>(args)...);
    };
  }

  static void each(pinned_actor* first, const std::function<void(pinned_actor&)>& fn);
  bool give(caf::mailbox_element& message);
  bool begin_enter(const char* callback);
  void end_enter(caf::mailbox_element* before, caf::scheduled_actor* acting);
  void ask_to_stop();
  void end_now();
  delayed_call schedule(duration delay, task run);
  void run_delayed(void (*fn)(void*), void* arg);
  void prune_calls();
  void unload() noexcept; // no longer counts among the loop's actors
  void count() noexcept;

  event_loop& loop_;
  pinned_actor* next_ = nullptr; // in the loop's list; that list holds a reference
  pinned_actor* previous_ = nullptr;
  std::unique_ptr<std::vector<delayed_call>> calls_;
  bool entered_ = false;
  bool listed_ = false;
  bool loads_ = true;    // counted in the loop's load
  bool counted_ = false; // among those whom the end of the runtime waits for
  bool over_ = false;    // its delayed calls have been dropped, and there will be no others
};

} // namespace troupe
