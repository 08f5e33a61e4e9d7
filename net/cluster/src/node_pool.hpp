#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace troupe::detail {

/// Memory for the nodes of containers that have very many: each takes what it is long, for nothing stands between
/// them. What is given back is for the next ones; all of it goes when the last one has gone.
///
/// All nodes have the size of the first one; what has another one is allocated as usual. The pools of std::pmr have classes
/// of sizes, as malloc has: they would take 16 bytes more for an entry of presence, with its two nodes of 120 and 40.
/// Thread: one at a time.
class node_pool {
public:
  node_pool() = default;
  node_pool(const node_pool&) = delete;
  node_pool& operator=(const node_pool&) = delete;

  [[nodiscard]] void* take(std::size_t size) {
    if (size_ == 0 && size >= sizeof(node))
      size_ = size;
    if (size != size_)
      return ::operator new(size);
    if (free_ == nullptr && unused_ == 0)
      add_block();
    ++taken_;
    if (auto* const one = free_) {
      free_ = one->next;
      return one;
    }
    return blocks_.back().get() + --unused_ * size_;
  }

  void give_back(void* memory, std::size_t size) noexcept {
    if (size != size_)
      return ::operator delete(memory);
    free_ = ::new (memory) node{free_};
    if (--taken_ == 0) {
      blocks_.clear();
      free_ = nullptr;
      unused_ = 0;
    }
  }

  [[nodiscard]] std::size_t blocks() const noexcept { return blocks_.size(); }

private:
  struct node {
    node* next;
  };
  static constexpr std::size_t nodes_in_block = 100; // some pages

  void add_block() {
    blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(nodes_in_block * size_));
    unused_ = nodes_in_block;
  }

  std::size_t size_ = 0;
  std::size_t taken_ = 0;
  std::size_t unused_ = 0; // nodes of the last block that were never taken
  node* free_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

/// Has the nodes of a container in a `node_pool`, which outlives it.
template <class T>
class pool_allocator {
public:
  using value_type = T;
  static_assert(alignof(T) <= alignof(void*));

  explicit pool_allocator(node_pool& pool) noexcept : pool_(&pool) {}
  template <class U>
  pool_allocator(const pool_allocator<U>& other) noexcept : pool_(other.pool_) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    return static_cast<T*>(n == 1 ? pool_->take(sizeof(T)) : ::operator new(n * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    if (n == 1)
      pool_->give_back(memory, sizeof(T));
    else
      ::operator delete(memory);
  }
  template <class U>
  bool operator==(const pool_allocator<U>& other) const noexcept {
    return pool_ == other.pool_;
  }

private:
  template <class U>
  friend class pool_allocator;
  node_pool* pool_;
};

} // namespace troupe::detail
