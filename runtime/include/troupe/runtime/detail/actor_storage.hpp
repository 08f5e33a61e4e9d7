#pragma once

#include <concepts>
#include <cstddef>
#include <new>
#include <utility>

#include <caf/abstract_actor.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/actor_storage.hpp>

#include <troupe/runtime/detail/block_cache.hpp>

namespace troupe {
class basic_actor;
}

namespace caf {

/// CAF's memory of an actor and of its control block, for Troupe's actors: from the thread's free blocks.
///
/// The layout is CAF's, which takes the one from the other by a fixed distance. No actor that libcaf itself makes
/// is one of Troupe's, so that there is one such class for each.
template <std::derived_from<troupe::basic_actor> T>
requires(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) class actor_storage<T> {
public:
  template <class... Us>
  actor_storage(actor_id id, node_id node, actor_system* system, Us&&... xs)
    : ctrl(id, node, system, &destroy_data, &destroy_block) {
    new (&data) T(std::forward<Us>(xs)...);
  }
  ~actor_storage() {
    static_assert(sizeof(actor_control_block) < CAF_CACHE_LINE_SIZE);
    static_assert(alignof(T) <= CAF_CACHE_LINE_SIZE);
  }

  actor_storage(const actor_storage&) = delete;
  actor_storage& operator=(const actor_storage&) = delete;

  static void* operator new(std::size_t size) { return troupe::detail::take_block(size); }
  static void operator delete(void* block) noexcept {
    troupe::detail::give_block(block, sizeof(actor_storage));
  }

  actor_control_block ctrl;
  char pad[CAF_CACHE_LINE_SIZE - sizeof(actor_control_block)];
  union {
    T data;
  };

private:
  static void destroy_data(abstract_actor* ptr) {
    ptr->on_destroy();
    static_cast<T*>(ptr)->~T();
  }
  static void destroy_block(actor_control_block* ptr) {
    delete reinterpret_cast<actor_storage*>(ptr);
  }
};

} // namespace caf
