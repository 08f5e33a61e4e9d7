#include <troupe/runtime/detail/actor_storage.hpp>

#include <cstdint>
#include <deque>
#include <mutex>

namespace troupe {

namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t most_offset = cache_line - __STDCPP_DEFAULT_NEW_ALIGNMENT__;

// Behind the actor, in bytes that the block has anyway for many a size.
struct actor_place {
  std::uint32_t offset; // of the actor in its block
  std::uint32_t room;   // for that, in the block
};

// The address sanitizer sees a write behind an actor only if nothing follows it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool has_place = false;
#else
constexpr bool has_place = true;
#endif

constinit std::atomic<bool> actors_move{false};

} // namespace

void detail::let_actors_move() noexcept {
  actors_move.store(true, std::memory_order_relaxed);
}

std::size_t detail::size_of_actor_block(std::size_t size) noexcept {
  if (!has_place)
    return size;
  return size + sizeof(actor_place)
         + (actors_move.load(std::memory_order_relaxed) ? most_offset : 0);
}

void* detail::take_actor_block(std::size_t size) {
  const auto whole = size_of_actor_block(size);
  auto* const block = static_cast<std::byte*>(take_block(whole));
  if (!has_place)
    return block;
  const auto room = whole - size - sizeof(actor_place);
  const auto over = reinterpret_cast<std::uintptr_t>(block) % cache_line;
  const auto offset = room != 0 && over != 0 ? cache_line - over : 0;
  new (block + offset + size)
    actor_place{static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(room)};
  return block + offset;
}

void detail::give_actor_block(void* block, std::size_t size) noexcept {
  if (!has_place)
    return give_block(block, size);
  auto* const actor = static_cast<std::byte*>(block);
  const auto place = *reinterpret_cast<const actor_place*>(actor + size);
  give_block(actor - place.offset, size + place.room + sizeof(actor_place));
}

// A process has a few hundred of them at most, however many runtimes it makes: CAF tells those by one byte, if at all. They
// stay, for a weak reference keeps its actor's control block for as long as it likes.
const caf::node_id& detail::kept_node(const caf::node_id& node) {
  static std::mutex mutex;
  static auto& all = *new std::deque<caf::node_id>;
  thread_local const caf::node_id* latest = nullptr;
  if (latest != nullptr && latest->compare(node) == 0)
    return *latest;
  const std::lock_guard hold{mutex};
  for (const auto& one : all)
    if (one.compare(node) == 0)
      return *(latest = &one);
  return *(latest = &all.emplace_back(node));
}

} // namespace troupe
