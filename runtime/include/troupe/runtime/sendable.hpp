#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include <caf/make_message.hpp>

namespace troupe {

namespace detail {

template <class T>
struct sendable_type
  : std::bool_constant<
      caf::is_serializable_or_whitelisted<typename caf::unbox_message_element<T>::type>::value> {};

// CAF turns these into other types, or says itself that it cannot.
template <class T>
struct sendable_type<T*> : std::true_type {};
template <class T, std::size_t N>
struct sendable_type<T[N]> : std::true_type {};
template <>
struct sendable_type<void> : std::true_type {};

} // namespace detail

/// Tells whether a `T` can be part of a message: CAF's own types and those of the standard library
/// that it knows, whatever has an `inspect`, and what `CAF_ALLOW_UNSAFE_MESSAGE_TYPE` names for
/// messages within the process. See docs/messages.md.
template <class T>
concept sendable = detail::sendable_type<std::remove_cvref_t<T>>::value;

} // namespace troupe
