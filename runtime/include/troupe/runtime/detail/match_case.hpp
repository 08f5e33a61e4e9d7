#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <caf/atom.hpp>
#include <caf/detail/apply_args.hpp>
#include <caf/detail/behavior_impl.hpp>
#include <caf/detail/invoke_result_visitor.hpp>
#include <caf/detail/pseudo_tuple.hpp>
#include <caf/detail/type_traits.hpp>
#include <caf/match_case.hpp>
#include <caf/message.hpp>
#include <caf/type_nr.hpp>

#include <troupe/runtime/detail/answering.hpp>
#include <troupe/runtime/detail/block_cache.hpp>

namespace troupe::detail {

/// Tells whether the element at `pos` is what a handler takes there, a `T`.
///
/// \tparam Known  the message's number, which has been compared, tells the types that CAF has numbers for
template <class T, bool Known>
struct element_match {
  static bool check(const caf::type_erased_tuple& xs, std::size_t pos) {
    constexpr auto number = caf::type_nr<T>::value;
    if constexpr (number != 0 && Known)
      return true;
    else if constexpr (number != 0)
      return xs.type(pos).first == number;
    else {
      const auto found = xs.type(pos);
      return found.first == 0 && *found.second == typeid(T);
    }
  }
};

template <caf::atom_value V, bool Known>
struct element_match<caf::atom_constant<V>, Known> {
  static bool check(const caf::type_erased_tuple& xs, std::size_t pos) {
    return element_match<caf::atom_value, Known>::check(xs, pos)
           && *static_cast<const caf::atom_value*>(xs.get(pos)) == V;
  }
};

/// The elements of a message whose number of elements is known, and whether others have it.
template <std::size_t Size>
struct known_elements {
  const caf::type_erased_tuple& xs;
  bool others;
  static constexpr std::size_t size() noexcept { return Size; }
  [[nodiscard]] const void* get(std::size_t pos) const noexcept { return xs.get(pos); }
  [[nodiscard]] bool shared() const noexcept { return others; }
};

/// Tells whether this is the handler of a function object, in the form that is below.
template <class T>
struct is_function_case : std::false_type {};
template <class F>
struct is_function_case<caf::trivial_match_case<F>> : std::is_class<F> {};

/// An empty message whose destructor, a call of libcaf, is left out while it is empty.
union empty_answer {
  empty_answer() : value() {}
  ~empty_answer() {
    if (value.vals() != nullptr)
      value.~message();
  }
  caf::message value;
};

} // namespace troupe::detail

namespace caf {

/// CAF's handler of one kind of message, of a function object; it has the same members, and does the same.
///
/// What is left out is what its caller, which compares the messages' numbers, knows already: how many elements
/// there are, and which of them are of a type that has a number.
template <class F>
requires(std::is_class_v<F>) class trivial_match_case<F> : public match_case {
public:
  using fun_trait = typename detail::get_callable_trait<F>::type;
  using plain_result_type = typename fun_trait::result_type;
  using result_type = std::conditional_t<std::is_reference_v<plain_result_type>, plain_result_type,
                                         std::remove_const_t<plain_result_type>>;
  using arg_types = typename fun_trait::arg_types;
  using pattern = typename detail::tl_map<arg_types, param_decay>::type;
  using decayed_arg_types = typename detail::tl_map<arg_types, std::decay>::type;
  using intermediate_pseudo_tuple =
    typename detail::tl_apply<decayed_arg_types, detail::pseudo_tuple>::type;

  static constexpr bool is_manipulator =
    detail::tl_exists<arg_types, detail::is_mutable_ref>::value;

  trivial_match_case(trivial_match_case&&) = default;
  trivial_match_case(const trivial_match_case&) = default;
  trivial_match_case& operator=(trivial_match_case&&) = default;
  trivial_match_case& operator=(const trivial_match_case&) = default;

  trivial_match_case(F f) : match_case(make_type_token_from_list<pattern>()), fun_(std::move(f)) {}

  match_case::result invoke(detail::invoke_result_visitor& f, type_erased_tuple& xs) override {
    if (!fits(xs, pattern{}, std::make_index_sequence<arity>{}))
      return match_case::no_match;
    if constexpr (is_manipulator || has_params(arg_types{})) {
      const bool shared = xs.shared();
      if (is_manipulator && shared) {
        auto own = message::copy(xs);
        return call(f,
                    troupe::detail::known_elements<arity>{own.content(), own.content().shared()});
      }
      return call(f, troupe::detail::known_elements<arity>{xs, shared});
    } else {
      return call(f, troupe::detail::known_elements<arity>{xs, false});
    }
  }

protected:
  F fun_;

private:
  static constexpr std::size_t arity = detail::tl_size<arg_types>::value;

  // The number of a message has six bits for each element.
  static constexpr bool known = arity <= 5;

  template <class... Ts, std::size_t... Is>
  static bool fits(const type_erased_tuple& xs, detail::type_list<Ts...>,
                   std::index_sequence<Is...>) {
    if (!known && xs.size() != arity)
      return false;
    return (troupe::detail::element_match<Ts, known>::check(xs, Is) && ...);
  }

  template <class... Ts>
  static constexpr bool has_params(detail::type_list<Ts...>) {
    return (!std::is_same_v<std::decay_t<Ts>, typename param_decay<Ts>::type> || ...);
  }

  match_case::result call(detail::invoke_result_visitor& f,
                          const troupe::detail::known_elements<arity>& elements) {
    intermediate_pseudo_tuple values{elements};
    typename detail::il_indices<decayed_arg_types>::type indices;
    if constexpr (std::is_void_v<result_type>) {
      detail::apply_args(fun_, indices, values);
      if (typeid(f) == typeid(troupe::detail::answering)
          && static_cast<troupe::detail::answering&>(f).nobody_asked())
        return match_case::match;
      troupe::detail::empty_answer nothing;
      f(nothing.value);
      return match_case::match;
    } else {
      auto answer = detail::apply_args(fun_, indices, values);
      if constexpr (troupe::detail::plain_answer<decltype(answer)>) {
        if (typeid(f) == typeid(troupe::detail::answering)) {
          static_cast<troupe::detail::answering&>(f).give(answer);
          return match_case::match;
        }
      }
      return f.visit(answer) ? match_case::match : match_case::skip;
    }
  }
};

namespace detail {

/// CAF's behavior of some such handlers, with the same members: in memory from the thread's free blocks, and without a look
/// at a table, or a call through one, for each handler that is tried.
template <class... Ts>
requires(sizeof...(Ts) > 0
         && (troupe::detail::is_function_case<Ts>::value
             && ...)) class default_behavior_impl<std::tuple<Ts...>> : public behavior_impl {
public:
  using tuple_type = std::tuple<Ts...>;
  static constexpr bool has_timeout = false;
  static constexpr size_t num_cases = sizeof...(Ts);
  using cases = type_list<Ts...>;

  default_behavior_impl(tuple_type&& tup) : cases_(std::move(tup)) { list(cases_); }

  template <class... Us>
  default_behavior_impl(Us&&... xs) : cases_(std::forward<Us>(xs)...) {
    list(cases_);
  }

  using behavior_impl::invoke;
  match_case::result invoke(invoke_result_visitor& f, type_erased_tuple& xs) override {
    const auto number = xs.type_token();
    auto result = match_case::no_match;
    std::apply(
      [&](Ts&... each) {
        static_cast<void>((
          (each.type_token() == number && (result = each.Ts::invoke(f, xs)) != match_case::no_match)
          || ...));
      },
      cases_);
    return result;
  }

  static void* operator new(std::size_t size) { return troupe::detail::take_block(size); }
  static void operator delete(void* block) noexcept {
    troupe::detail::give_block(block, sizeof(default_behavior_impl));
  }

private:
  // For CAF's form of the same behavior.
  void list(tuple_type& handlers) {
    std::apply(
      [this](Ts&... each) {
        arr_ = {match_case_info{each.type_token(), &each}...};
      },
      handlers);
    this->begin_ = arr_.data();
    this->end_ = arr_.data() + arr_.size();
  }

  tuple_type cases_;
  std::array<match_case_info, num_cases> arr_;
};

} // namespace detail
} // namespace caf
