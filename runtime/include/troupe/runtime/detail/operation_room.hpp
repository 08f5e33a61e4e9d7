#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <utility>

namespace troupe::detail {

/// Room for one outstanding operation of Asio, so that to begin it takes no memory: what waits for the
/// next connection, or the next datagram, must not cease to for want of it.
///
/// It must outlive the operation, which therefore keeps its owner. A second operation, while one is
/// outstanding or has not been told yet, is given memory of its own.
class operation_room {
public:
  operation_room() = default;
  operation_room(const operation_room&) = delete;
  operation_room& operator=(const operation_room&) = delete;

  template <class T>
  struct allocator {
    using value_type = T;
    explicit allocator(operation_room& r) noexcept : room(&r) {}
    template <class U>
    allocator(const allocator<U>& other) noexcept : room(other.room) {}
    T* allocate(std::size_t n) { return static_cast<T*>(room->take(n * sizeof(T))); }
    void deallocate(T* p, std::size_t) noexcept { room->give(p); }
    friend bool operator==(const allocator& a, const allocator& b) noexcept {
      return a.room == b.room;
    }
    operation_room* room;
  };

  /// A handler whose operation lies in `room`.
  template <class F>
  struct handler {
    using allocator_type = allocator<std::byte>;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type{*room}; }
    template <class... Args>
    void operator()(Args&&... args) {
      fn(std::forward<Args>(args)...);
    }
    operation_room* room;
    F fn;
  };

  template <class F>
  [[nodiscard]] handler<F> with(F fn) {
    return {this, std::move(fn)};
  }

private:
  void* take(std::size_t bytes) {
    return bytes <= bytes_.size() && !std::exchange(taken_, true) ? bytes_.data()
                                                                  : ::operator new(bytes);
  }
  void give(void* p) noexcept {
    if (p == bytes_.data())
      taken_ = false;
    else
      ::operator delete(p);
  }

  bool taken_ = false;
  alignas(std::max_align_t) std::array<std::byte, 160> bytes_;
};

} // namespace troupe::detail
