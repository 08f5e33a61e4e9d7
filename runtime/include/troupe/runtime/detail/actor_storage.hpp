#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <new>
#include <utility>

#include <caf/abstract_actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_storage.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/node_id.hpp>

#include <troupe/runtime/detail/block_cache.hpp>

namespace troupe {
class basic_actor;
class floating_actor;

namespace detail {

/// Returns an equal of `node` that is never destroyed. Thread: any.
const caf::node_id& kept_node(const caf::node_id& node);

/// Tells an actor's memory that whoever makes the actor queues it at once. The queue's reference is there before anybody
/// else can see the actor, so that counting it takes no atomic operation.
struct queued_at_once {};

/// From here on a floating actor begins with a line of the processor's cache that has nothing of another block: the
/// counts of references are there, which each message to it changes, and other loops have its neighbours. Thread: any.
void let_actors_move() noexcept;

/// Memory for an actor that may move, of the thread's free blocks. Thread: any.
///
/// \throws std::bad_alloc
[[nodiscard]] void* take_actor_block(std::size_t size);
/// Gives back what `take_actor_block(size)` returned. Thread: any.
void give_actor_block(void* block, std::size_t size) noexcept;
/// Returns how many bytes `take_actor_block(size)` would take now. Thread: any.
[[nodiscard]] std::size_t size_of_actor_block(std::size_t size) noexcept;

} // namespace detail
} // namespace troupe

namespace caf {

/// CAF's memory of an actor and of its control block, for Troupe's actors: from the thread's free blocks.
///
/// The layout is CAF's, which takes the one from the other by a fixed distance. No actor that libcaf itself makes
/// is one of Troupe's, so that there is one such class for each.
///
/// The node's identity is not counted for each actor, up and down and by all threads in one number: it is never
/// destroyed, and nor is the control block's reference to it.
template <std::derived_from<troupe::basic_actor> T>
requires(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) class actor_storage<T> {
public:
  template <class... Us>
  actor_storage(actor_id id, const node_id& node, actor_system* system, Us&&... xs) {
    make_block(id, node, system);
    new (&data) T(std::forward<Us>(xs)...);
  }
  /// \param maker  an actor of the same system
  template <class... Us>
  actor_storage(troupe::detail::queued_at_once, actor_id id, const actor_control_block& maker,
                Us&&... xs) {
    make_block(id, maker.nid, maker.home_system);
    ctrl.strong_refs.store(2, std::memory_order_relaxed);
    new (&data) T(std::forward<Us>(xs)...);
  }
  ~actor_storage() {
    static_assert(sizeof(actor_control_block) < CAF_CACHE_LINE_SIZE);
    static_assert(alignof(T) <= CAF_CACHE_LINE_SIZE);
  }

  actor_storage(const actor_storage&) = delete;
  actor_storage& operator=(const actor_storage&) = delete;

  static void* operator new(std::size_t size) {
    if constexpr (std::derived_from<T, troupe::floating_actor>)
      return troupe::detail::take_actor_block(size);
    else
      return troupe::detail::take_block(size);
  }
  static void operator delete(void* block) noexcept {
    if constexpr (std::derived_from<T, troupe::floating_actor>)
      troupe::detail::give_actor_block(block, sizeof(actor_storage));
    else
      troupe::detail::give_block(block, sizeof(actor_storage));
  }

  union {
    actor_control_block ctrl;
  };
  char pad[CAF_CACHE_LINE_SIZE - sizeof(actor_control_block)];
  union {
    T data;
  };

private:
  void make_block(actor_id id, const node_id& node, actor_system* system) {
    union uncounted {
      explicit uncounted(const node_id& of)
        : id(intrusive_ptr<node_id::data>{const_cast<node_id&>(of).operator->(), false}) {}
      ~uncounted() {}
      node_id id;
    } same{troupe::detail::kept_node(node)};
    new (&ctrl) actor_control_block(id, same.id, system, &destroy_data, &destroy_block);
  }
  static void destroy_data(abstract_actor* ptr) {
    ptr->on_destroy();
    static_cast<T*>(ptr)->~T();
  }
  static void destroy_block(actor_control_block* ptr) {
    delete reinterpret_cast<actor_storage*>(ptr);
  }
};

} // namespace caf
