#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <caf/actor_control_block.hpp>
#include <caf/detail/apply_args.hpp>
#include <caf/detail/tuple_vals.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>
#include <caf/type_erased_tuple.hpp>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/turn_references.hpp>

namespace troupe::detail {

/// A message of values in a mailbox: CAF's `mailbox_element_vals`, in memory of the thread's free blocks.
template <class... Ts>
class local_message final : public caf::mailbox_element,
                            public caf::detail::tuple_vals_impl<caf::type_erased_tuple, Ts...> {
public:
  using values = caf::detail::tuple_vals_impl<caf::type_erased_tuple, Ts...>;

  template <class... Us>
  local_message(caf::strong_actor_ptr&& from, caf::message_id id, Us&&... xs)
    : values(std::forward<Us>(xs)...) {
    sender = std::move(from);
    mid = caf::mailbox_category_corrector<Ts...>::apply(id);
  }

  caf::type_erased_tuple& content() override { return *this; }
  const caf::type_erased_tuple& content() const override { return *this; }

  caf::message move_content_to_message() override {
    caf::message_factory make;
    auto& xs = this->data();
    return caf::detail::apply_moved_args(make, caf::detail::get_indices(xs), xs);
  }
  caf::message copy_content_to_message() const override {
    caf::message_factory make;
    auto& xs = this->data();
    return caf::detail::apply_args(make, caf::detail::get_indices(xs), xs);
  }

  /// Destroys it. Of the bases, only what owns something is: their destructors, all of them calls of libcaf,
  /// would do nothing else.
  void request_deletion(bool /*counted*/) const noexcept override {
    auto& self = const_cast<local_message&>(*this);
    this_turn.drop(self.sender);
    if (self.stages.capacity() != 0) [[unlikely]]
      forwarding_stack{}.swap(self.stages);
    std::destroy_at(&self.data());
    give_block(&self, sizeof(local_message));
  }

  static void* operator new(std::size_t size) { return take_block(size); }
  static void operator delete(void* block) noexcept { give_block(block, sizeof(local_message)); }
};

/// A message that exists already, in a mailbox: CAF's `mailbox_element_wrapper`, in such memory.
class message_envelope final : public caf::mailbox_element {
public:
  /// \pre `what` is not empty
  message_envelope(caf::strong_actor_ptr&& from, caf::message_id id, caf::message&& what)
    : content_(std::move(what)) {
    sender = std::move(from);
    mid = id;
  }

  caf::type_erased_tuple& content() override { return *content_.cvals().counting_ptr(); }
  const caf::type_erased_tuple& content() const override { return *content_.cvals(); }

  caf::message move_content_to_message() override { return content_; } // and may be asked again
  caf::message copy_content_to_message() const override { return content_; }

  void request_deletion(bool /*counted*/) const noexcept override {
    auto& self = const_cast<message_envelope&>(*this);
    this_turn.drop(self.sender);
    if (self.stages.capacity() != 0) [[unlikely]]
      forwarding_stack{}.swap(self.stages);
    std::destroy_at(&self.content_);
    give_block(&self, sizeof(message_envelope));
  }

  static void* operator new(std::size_t size) { return take_block(size); }
  static void operator delete(void* block) noexcept { give_block(block, sizeof(message_envelope)); }

private:
  caf::message content_;
};

template <class T>
using message_value_t =
  typename caf::unbox_message_element<caf::detail::strip_and_convert_t<T>>::type;

/// Tells whether these values make a message of their own: else it is a group or a message that exists.
template <class Dest, class... Ts>
inline constexpr bool makes_local_message =
  !std::is_same_v<
    Dest,
    caf::group> && !(sizeof...(Ts) == 1 && (std::is_same_v<std::decay_t<Ts>, caf::message> && ...))
  && sizeof...(Ts) > 0
  && ((alignof(message_value_t<Ts>) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) && ...);

/// As `caf::make_mailbox_element`, of values that make a local message.
template <class... Ts>
caf::mailbox_element_ptr make_local_message(caf::strong_actor_ptr from, caf::message_id id,
                                            Ts&&... xs) {
  using made = local_message<message_value_t<Ts>...>;
  return caf::mailbox_element_ptr{new made(std::move(from), id, std::forward<Ts>(xs)...)};
}

} // namespace troupe::detail
