#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <troupe/runtime/failure.hpp>

namespace troupe {

/// What came of something: a value or a failure.
///
/// A callback that may fail without an exception returns one, and `add_both` gives one. Both a `T`
/// and a `failure` convert to it.
///
/// \tparam T  the value's type, or void
template <class T>
class [[nodiscard]] outcome {
public:
  using value_type = T;

  template <class U = T>
  requires(
    std::is_constructible_v<
      T,
      U> && !std::is_same_v<std::remove_cvref_t<U>, outcome> && !std::is_same_v<std::remove_cvref_t<U>, failure>)
    outcome(U&& value)
    : value_(std::in_place, std::forward<U>(value)) {}
  outcome(failure why) noexcept : error_(std::move(why)) {}

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// Returns the value; raises the failure if there is none.
  [[nodiscard]] T& value() & { return get(); }
  [[nodiscard]] const T& value() const& { return const_cast<outcome*>(this)->get(); }
  [[nodiscard]] T&& value() && { return std::move(get()); }

  /// Returns the value, which must be there.
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

  /// Returns the failure; `errc::none` if there is a value.
  [[nodiscard]] const failure& error() const noexcept { return error_; }

private:
  T& get() {
    if (!value_)
      error_.raise();
    return *value_;
  }

  std::optional<T> value_;
  failure error_;
};

template <>
class [[nodiscard]] outcome<void> {
public:
  using value_type = void;

  outcome() noexcept = default;
  outcome(failure why) noexcept : error_(std::move(why)), failed_(true) {}

  [[nodiscard]] bool has_value() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Raises the failure if there is one.
  void value() const {
    if (failed_)
      error_.raise();
  }

  [[nodiscard]] const failure& error() const noexcept { return error_; }

private:
  failure error_;
  bool failed_ = false;
};

} // namespace troupe
