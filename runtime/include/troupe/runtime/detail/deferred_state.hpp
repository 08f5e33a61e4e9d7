#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe::detail {

class deferred_state;

/// One link of a chain: a function that deals with the result so far, and what it captured.
///
/// `act(slot, state)` runs and then destroys the target, `act(slot, nullptr)` only destroys it. It
/// returns a state, with one reference for the caller, whose chain is to be run or abandoned
/// next, or null. As a canceller it returns the state, not counted, that is to be cancelled in place
/// of its own, or null.
struct deferred_slot {
  using function = deferred_state* (*)(deferred_slot&, deferred_state*);

  template <class F>
  static constexpr bool fits = sizeof(F) <= 3 * sizeof(void*) && alignof(F) <= alignof(void*);

  template <class F, class G>
  void hold(G&& f) {
    if constexpr (fits<F>)
      ::new (static_cast<void*>(target)) F(std::forward<G>(f));
    else
      ::new (static_cast<void*>(target)) F*(new F(std::forward<G>(f)));
  }

  template <class F>
  F& get() noexcept {
    if constexpr (fits<F>)
      return *std::launder(reinterpret_cast<F*>(target));
    else
      return **std::launder(reinterpret_cast<F**>(target));
  }

  template <class F>
  void drop() noexcept {
    if constexpr (fits<F>)
      get<F>().~F();
    else
      delete &get<F>();
  }

  function act;
  alignas(void*) std::byte target[3 * sizeof(void*)];
};

/// What a deferred and its promise share: the result so far and the chain that waits for it.
///
/// The chain changes the type of the result with every link, so the state knows no types; the
/// handles and the links do, and by construction they agree. Everything lies in one block: the
/// result if it is small, and as many links as the block was made for. Links never move, so what
/// they capture need not be movable without failing; more of them go to segments of their own.
///
/// A callback that returns a deferred links that one's state to this one (`wait_for`): the inner
/// owns the outer, for the inner is what will be fired. `run` follows such links in a loop, so
/// that no length of a chain needs stack.
///
/// Thread: one at a time.
class deferred_state {
public:
  static constexpr std::size_t result_bytes = 32;
  static constexpr std::size_t usual_links = 10;

  static deferred_state* make(std::size_t links, const source_location& where);

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0)
      destroy();
  }
  bool shared() const noexcept { return references_ > 1; }

  /// Keep the place of a state that a canceller names, not what is in it.
  void retain_place() noexcept { ++cancellers_; }
  void release_place() noexcept {
    if (--cancellers_ == 0 && ended_)
      free_place();
  }

  /// Tells whether it is more than a place.
  bool alive() const noexcept { return references_ != 0 && !ended_; }

  /// Tells whether anybody could notice a result.
  bool awaited() const noexcept { return shared() || head_ != tail_ || linked_to_ != nullptr; }

  // -- the result ---------------------------------------------------------------------------------

  enum class content : std::uint8_t { nothing, value, failure };

  bool called() const noexcept { return called_; }
  bool failed() const noexcept { return content_ == content::failure; }
  bool has_value() const noexcept { return content_ == content::value; }

  /// Tells whether the chain has run to its present end, so that the result may be taken.
  bool finished() const noexcept { return runnable() && head_ == tail_; }

  template <class T, class... Args>
  void set_value(Args&&... args) {
    if constexpr (!std::is_void_v<T>) {
      if constexpr (is_inline<T>)
        ::new (static_cast<void*>(result_)) T(std::forward<Args>(args)...);
      else
        ::new (static_cast<void*>(result_)) T*(new T(std::forward<Args>(args)...));
      ops_ = ops_for<T>();
    }
    content_ = content::value;
  }

  void set_failure(failure&& why) noexcept {
    ::new (static_cast<void*>(result_)) failure(std::move(why));
    content_ = content::failure;
  }

  template <class T>
  T& value() noexcept {
    if constexpr (is_inline<T>)
      return *std::launder(reinterpret_cast<T*>(result_));
    else
      return **std::launder(reinterpret_cast<T**>(result_));
  }

  const failure& why() const noexcept {
    return *std::launder(reinterpret_cast<const failure*>(result_));
  }

  template <class T>
  T take_value() {
    content_ = content::nothing;
    struct drop {
      ~drop() {
        if constexpr (!is_inline<T>)
          delete &self->value<T>();
        else
          self->value<T>().~T();
        self->ops_ = nullptr;
      }
      deferred_state* self;
    } end{this};
    return std::move(value<T>());
  }

  failure take_failure() noexcept {
    content_ = content::nothing;
    auto result = std::move(*std::launder(reinterpret_cast<failure*>(result_)));
    return result; // a moved-from failure needs no destructor
  }

  void drop_value() noexcept {
    content_ = content::nothing;
    if (const auto* ops = std::exchange(ops_, nullptr))
      ops->destroy(result_);
  }

  // -- firing -------------------------------------------------------------------------------------

  /// Says whether a result may be set now: false if this one is to be ignored, because the
  /// deferred was cancelled. Throws already_fired if there was one before.
  bool may_fire() {
    if (!called_) [[likely]]
      return true;
    return refire();
  }

  /// Runs the chain with the result that was set.
  void fire(const source_location& where) {
    mark_called(where);
    run();
  }

  void mark_called(const source_location& where) {
    called_ = true;
    if (canceller_.act != nullptr || debug_ != nullptr) [[unlikely]]
      first_call(where);
  }

  /// Fails with errc::broken_promise, unless there is a result or nobody could notice.
  void break_promise() noexcept;

  /// Ends without a result: destroys what waits, unrun, and does so with whatever waits for this.
  void abandon() noexcept;

  // -- the chain ----------------------------------------------------------------------------------

  /// Adds a link and, if there is a result, runs it. `Act` is its function, `F` its target.
  template <class F, class G>
  void add(deferred_slot::function act, G&& f) {
    if (tail_ == limit_) [[unlikely]]
      grow();
    tail_->hold<F>(std::forward<G>(f));
    tail_->act = act;
    ++tail_;
    if (called_)
      run();
  }

  /// Ends what waits here: destroys it unrun, and cancels what would make the result, of which
  /// nobody is told. For the end of the one that waited.
  void disown() noexcept;

  /// Puts `act`, which needs no target, in the place of the link that was added last and has not
  /// run.
  void replace_last_link(deferred_slot::function act) noexcept { (tail_ - 1)->act = act; }

  /// Runs what can be run. Nothing happens while it runs already: the loop that does will go on.
  void run();

  /// Makes this chain, whose link is running, wait for `inner`, of which one reference is taken.
  void wait_for(deferred_state* inner);

  /// Fires `target` with the result of this chain; takes one reference of `target`.
  void chain_to(deferred_state* target);

  void pause() noexcept { ++pauses_; }
  void unpause();
  bool paused() const noexcept { return pauses_ != 0; }

  /// Undoes all pauses: whoever could undo them is going.
  void end_pauses() noexcept;

  // -- cancelling ---------------------------------------------------------------------------------

  template <class F, class G>
  void set_canceller(deferred_slot::function act, G&& f) {
    canceller_.hold<F>(std::forward<G>(f));
    canceller_.act = act;
  }

  /// Leaves it to the canceller alone how and when the deferred ends.
  void canceller_decides() noexcept { canceller_decides_ = true; }

  /// Takes any number of deferreds that wait for one another without using up the stack.
  void cancel();

  const deferred_state* waiting_on() const noexcept { return waiting_on_; }

  /// Where it was made; null unless debugging is on.
  const source_location* created() const noexcept;

private:
  struct result_ops {
    void (*relocate)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };

  struct segment;
  struct debug_record;

  template <class T>
  static constexpr bool is_inline = sizeof(T) <= result_bytes && alignof(T) <= alignof(void*)
                                    && std::is_nothrow_move_constructible_v<T>;

  template <class T>
  static constexpr result_ops inline_ops{
    [](void* from, void* to) noexcept {
      ::new (to) T(std::move(*static_cast<T*>(from)));
      static_cast<T*>(from)->~T();
    },
    [](void* p) noexcept { static_cast<T*>(p)->~T(); },
  };

  template <class T>
  static constexpr result_ops heap_ops{
    [](void* from, void* to) noexcept { ::new (to) T*(*static_cast<T**>(from)); },
    [](void* p) noexcept { delete *static_cast<T**>(p); },
  };

  template <class T>
  static constexpr const result_ops* ops_for() noexcept {
    if constexpr (!is_inline<T>)
      return &heap_ops<T>;
    else if constexpr (std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>)
      return nullptr; // its bytes are copied
    else
      return &inline_ops<T>;
  }

  enum class link : std::uint8_t { none, waits, fires };

  explicit deferred_state(std::size_t links) noexcept;
  ~deferred_state();
  deferred_slot* own_slots() noexcept { return reinterpret_cast<deferred_slot*>(this + 1); }
  // It has no content while it waits for another one, nor after it was abandoned.
  bool runnable() const noexcept {
    return content_ != content::nothing && !running_ && pauses_ == 0;
  }
  bool refire();
  deferred_state* cancel_one();
  void first_call(const source_location& where);
  void grow();
  void slots_used_up() noexcept;
  void take_result_from(deferred_state& other) noexcept;
  void destroy() noexcept;
  void end() noexcept;
  void free_place() noexcept;
  void drop_links() noexcept;
  void drop_canceller() noexcept;

  std::uint32_t references_ = 1;
  std::uint32_t pauses_ = 0;
  content content_ = content::nothing;
  link link_ = link::none;
  bool called_ = false;
  bool running_ = false;
  bool cancelling_ = false;
  bool ignore_next_ = false; // cancelled without a canceller, so the producer does not know
  bool canceller_decides_ : 1 = false;
  bool abandoned_ : 1 = false; // called, but there will be no result
  bool unwanted_ : 1 = false;  // a failure that is left is nobody's
  bool ended_ : 1 = false;     // nothing is left but the place
  const std::uint32_t links_;
  std::uint32_t cancellers_ = 0; // that name it
  const result_ops* ops_ = nullptr;
  deferred_slot* head_; // the links that wait lie in [head_, tail_), through the segments
  deferred_slot* tail_;
  deferred_slot* head_limit_; // end of the segment in which head_ lies
  deferred_slot* limit_;      // end of the last segment
  segment* segments_ = nullptr;
  deferred_state* linked_to_ = nullptr;  // owned; gets the result
  deferred_state* waiting_on_ = nullptr; // its linked_to_ is this
  debug_record* debug_ = nullptr;
  deferred_slot canceller_;
  alignas(void*) std::byte result_[result_bytes];
};

} // namespace troupe::detail
