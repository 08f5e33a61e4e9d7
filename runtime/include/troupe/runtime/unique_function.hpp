#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace troupe {

template <class Signature, std::size_t InlineBytes = 3 * sizeof(void*)>
class unique_function;

/// Holds one callable, which may be move-only.
///
/// `std::function` demands copyable targets and allocates for all but the smallest of them. This
/// type moves only, and stores a target of up to `InlineBytes` inside itself when it is nothrow
/// movable; a larger one takes one allocation.
///
/// Calling an empty function is undefined; `operator bool` tells.
template <class R, class... Args, std::size_t InlineBytes>
class unique_function<R(Args...), InlineBytes> {
  static constexpr bool is_task = std::is_void_v<R> && sizeof...(Args) == 0;

public:
  unique_function() noexcept = default;
  unique_function(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>,
                         unique_function> && std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
    unique_function(F&& f) { // implicit, as for std::function
    using target = std::decay_t<F>;
    if constexpr (std::is_pointer_v<target> || std::is_member_pointer_v<target>) {
      if (f == nullptr)
        return;
    } else if constexpr (requires(const target& t) {
                           static_cast<bool>(t);
                           t == nullptr;
                         }) {
      if (f == nullptr) // an empty std::function or unique_function
        return;
    }
    if constexpr (fits<target>) {
      ::new (static_cast<void*>(storage_)) target(std::forward<F>(f));
      table_ = &inline_table<target>;
    } else {
      ::new (static_cast<void*>(storage_)) target*(new target(std::forward<F>(f)));
      table_ = &heap_table<target>;
    }
  }

  unique_function(unique_function&& other) noexcept { take(other); }

  unique_function& operator=(unique_function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }

  unique_function& operator=(std::nullptr_t) noexcept {
    reset();
    return *this;
  }

  unique_function(const unique_function&) = delete;
  unique_function& operator=(const unique_function&) = delete;

  ~unique_function() { reset(); }

  R operator()(Args... args) { return table_->invoke(storage_, std::forward<Args>(args)...); }

  explicit operator bool() const noexcept { return table_ != nullptr; }

  /// Returns the type of the target, by which a diagnosis names it; `void` for an empty function.
  [[nodiscard]] const std::type_info& target_type() const noexcept requires is_task {
    return table_ != nullptr ? *table_->type : typeid(void);
  }

  friend bool operator==(const unique_function& f, std::nullptr_t) noexcept {
    return f.table_ == nullptr;
  }

private:
  // Only functions of nothing tell the type of their target: its name takes space.
  struct no_type {};
  using type_pointer = std::conditional_t<is_task, const std::type_info*, no_type>;
  template <class T>
  static constexpr type_pointer type_of() noexcept {
    if constexpr (is_task)
      return &typeid(T);
    else
      return {};
  }

  struct table {
    R (*invoke)(void*, Args&&...);
    void (*relocate)(
      void* from, void* to) noexcept; // moves the target and ends the old one; null: copy its bytes
    void (*destroy)(void*) noexcept;  // null: there is nothing to do
    [[no_unique_address]] type_pointer type;
  };

  template <class T>
  static constexpr bool fits = sizeof(T) <= InlineBytes && alignof(T) <= alignof(void*)
                               && std::is_nothrow_move_constructible_v<T>;

  // A function of no result drops what its target returns.
  template <class T>
  static R call(T& target, Args&&... args) {
    if constexpr (std::is_void_v<R>)
      static_cast<void>(std::invoke(target, std::forward<Args>(args)...));
    else
      return std::invoke(target, std::forward<Args>(args)...);
  }

  template <class T>
  static void relocate_target(void* from, void* to) noexcept {
    ::new (to) T(std::move(*static_cast<T*>(from)));
    static_cast<T*>(from)->~T();
  }

  template <class T>
  static void destroy_target(void* p) noexcept {
    static_cast<T*>(p)->~T();
  }

  template <class T>
  static constexpr table inline_table{
    [](void* p, Args&&... args) -> R {
      return call(*static_cast<T*>(p), std::forward<Args>(args)...);
    },
    std::is_trivially_copyable_v<T> ? nullptr : &relocate_target<T>,
    std::is_trivially_destructible_v<T> ? nullptr : &destroy_target<T>,
    type_of<T>(),
  };

  template <class T>
  static constexpr table heap_table{
    [](void* p, Args&&... args) -> R {
      return call(**static_cast<T**>(p), std::forward<Args>(args)...);
    },
    nullptr,
    [](void* p) noexcept { delete *static_cast<T**>(p); },
    type_of<T>(),
  };

  void take(unique_function& other) noexcept {
    if (other.table_ == nullptr)
      return;
    if (auto* const relocate = other.table_->relocate)
      relocate(other.storage_, storage_);
    else
      std::memcpy(storage_, other.storage_, InlineBytes);
    table_ = std::exchange(other.table_, nullptr);
  }

  void reset() noexcept {
    if (table_ == nullptr)
      return;
    if (auto* const destroy = std::exchange(table_, nullptr)->destroy)
      destroy(storage_);
  }

  static_assert(InlineBytes >= sizeof(void*));

  const table* table_ = nullptr;
  alignas(void*) std::byte storage_[InlineBytes];
};

} // namespace troupe
