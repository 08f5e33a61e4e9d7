#include <troupe/cluster/detail/message_codec.hpp>

#include <cfloat>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include <caf/actor_system.hpp>
#include <caf/config_value.hpp>
#include <caf/deserializer.hpp>
#include <caf/detail/dynamic_message_data.hpp>
#include <caf/sec.hpp>
#include <caf/serializer.hpp>
#include <caf/type_nr.hpp>
#include <caf/uniform_type_info_map.hpp>

#include <troupe/runtime/detail/class_name.hpp>

#include "wire.hpp"

namespace troupe::detail {

namespace {

// How much stack the values of a message may take: values within values, as deep as somebody else says. What can be
// written can be read, so the reader has more.
constexpr std::size_t stack_to_write = std::size_t{128} << 10;
constexpr std::size_t stack_to_read = std::size_t{512} << 10;

// What CAF has numbers for, and what means nothing in another process. Values that hold one say so when they are
// written: they ask for the context that we do not have.
constexpr bool is_local(std::uint16_t number) noexcept {
  for (const auto local :
       {caf::type_nr<caf::actor>::value, caf::type_nr<std::vector<caf::actor>>::value,
        caf::type_nr<caf::actor_addr>::value, caf::type_nr<std::vector<caf::actor_addr>>::value,
        caf::type_nr<caf::down_msg>::value, caf::type_nr<caf::downstream_msg>::value,
        caf::type_nr<caf::error>::value, caf::type_nr<caf::exit_msg>::value,
        caf::type_nr<caf::group>::value, caf::type_nr<caf::group_down_msg>::value,
        caf::type_nr<caf::message>::value, caf::type_nr<caf::message_id>::value,
        caf::type_nr<caf::node_id>::value, caf::type_nr<caf::open_stream_msg>::value,
        caf::type_nr<caf::strong_actor_ptr>::value, caf::type_nr<caf::timeout_msg>::value,
        caf::type_nr<caf::upstream_msg>::value, caf::type_nr<caf::weak_actor_ptr>::value})
    if (number == local)
      return true;
  return false;
}

constexpr std::string_view names_travel =
  "handles of actors, caf::error and caf::message do not travel: send the name of the actor, a "
  "troupe::failure, the values themselves";

const char* stack_here() noexcept {
  return static_cast<const char*>(__builtin_frame_address(0));
}

/// Notices values that lie too deep within each other.
class depth {
public:
  explicit depth(std::size_t most) noexcept : base_(stack_here()), most_(most) {}
  [[nodiscard]] bool fits() const noexcept {
    const auto here = stack_here();
    return static_cast<std::size_t>(here < base_ ? base_ - here : here - base_) <= most_;
  }

private:
  const char* const base_;
  const std::size_t most_;
};

// A long double has its bits and, unlike other numbers, bytes that mean nothing.
constexpr std::size_t long_double_bytes = LDBL_MANT_DIG == 64 ? 10 : sizeof(long double);

template <class N>
void put(std::string& out, N n) {
  for (std::size_t i = 0; i < sizeof(N); ++i)
    out += static_cast<char>(static_cast<unsigned char>(n >> (8 * i)));
}

void put_varint(std::string& out, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7)
    out += static_cast<char>(static_cast<unsigned char>(n | 0x80));
  out += static_cast<char>(n);
}

template <class To, class From>
To bits_of(From from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

/// The first thing that went wrong. What an `inspect` makes of the error that it gets is its own affair.
class verdict {
public:
  caf::error is(std::string_view why) {
    if (why_.empty())
      why_ = why;
    return caf::sec::invalid_argument;
  }
  [[nodiscard]] const std::string& why() const noexcept { return why_; }

private:
  std::string why_;
};

/// Where the numbers of a value go to.
class value_writer final : public caf::serializer {
public:
  explicit value_writer(std::string& out) : out_(out), depth_(stack_to_write) {}

  [[nodiscard]] const std::string& why() const noexcept { return verdict_.why(); }
  [[nodiscard]] std::uint64_t elements() const noexcept { return elements_; }

  caf::error begin_object(std::uint16_t&, std::string&) override {
    return verdict_.is(names_travel);
  }
  caf::error end_object() override { return {}; }
  caf::error begin_sequence(std::size_t& size) override {
    if (!depth_.fits())
      return verdict_.is("its values lie too deep within each other");
    elements_ += size;
    put_varint(out_, size);
    return {};
  }
  caf::error end_sequence() override { return {}; }
  caf::error apply_raw(std::size_t size, void* data) override {
    out_.append(static_cast<const char*>(data), size);
    return {};
  }

protected:
  caf::error apply_impl(std::int8_t& n) override { return number(static_cast<std::uint8_t>(n)); }
  caf::error apply_impl(std::uint8_t& n) override { return number(n); }
  caf::error apply_impl(std::int16_t& n) override { return number(static_cast<std::uint16_t>(n)); }
  caf::error apply_impl(std::uint16_t& n) override { return number(n); }
  caf::error apply_impl(std::int32_t& n) override { return number(static_cast<std::uint32_t>(n)); }
  caf::error apply_impl(std::uint32_t& n) override { return number(n); }
  caf::error apply_impl(std::int64_t& n) override { return number(static_cast<std::uint64_t>(n)); }
  caf::error apply_impl(std::uint64_t& n) override { return number(n); }
  caf::error apply_impl(float& n) override { return number(bits_of<std::uint32_t>(n)); }
  caf::error apply_impl(double& n) override { return number(bits_of<std::uint64_t>(n)); }
  caf::error apply_impl(long double& n) override {
    number(static_cast<std::uint8_t>(LDBL_MANT_DIG));
    return apply_raw(long_double_bytes, &n);
  }
  caf::error apply_impl(std::string& text) override {
    put_varint(out_, text.size());
    out_ += text;
    return {};
  }
  caf::error apply_impl(std::u16string& text) override { return characters(text); }
  caf::error apply_impl(std::u32string& text) override { return characters(text); }

private:
  template <class N>
  caf::error number(N n) {
    if (!depth_.fits())
      return verdict_.is("its values lie too deep within each other");
    put(out_, n);
    return {};
  }
  template <class Text>
  caf::error characters(const Text& text) {
    put_varint(out_, text.size());
    for (const auto c : text)
      put(out_, static_cast<std::conditional_t<sizeof(c) == 2, std::uint16_t, std::uint32_t>>(c));
    return {};
  }

  std::string& out_;
  const depth depth_;
  verdict verdict_;
  std::uint64_t elements_ = 0; // of its sequences
};

/// Where the numbers of a value come from, which may be anything.
class value_reader final : public caf::deserializer {
public:
  explicit value_reader(bytes_view all)
    : in_(all), elements_left_(all.size()), depth_(stack_to_read) {}

  [[nodiscard]] const std::string& why() const noexcept { return verdict_.why(); }
  [[nodiscard]] wire::reader& in() noexcept { return in_; }
  [[nodiscard]] std::uint64_t elements() const noexcept { return elements_; }
  caf::error malformed(std::string_view what) {
    in_.fail();
    return verdict_.is(what);
  }

  caf::error begin_object(std::uint16_t&, std::string&) override {
    return malformed("a value that does not travel");
  }
  caf::error end_object() override { return {}; }
  caf::error begin_sequence(std::size_t& size) override {
    if (!depth_.fits())
      return malformed("values that lie too deep within each other");
    const auto claimed = in_.varint();
    if (!in_.ok() || claimed > elements_left_)
      return malformed("a sequence that is longer than the message");
    elements_left_ -= claimed;
    elements_ += claimed;
    size = static_cast<std::size_t>(claimed);
    return {};
  }
  caf::error end_sequence() override { return {}; }
  caf::error apply_raw(std::size_t size, void* data) override {
    const auto bytes = in_.raw(size);
    if (!in_.ok())
      return malformed("a value that ends early");
    if (size != 0)
      std::memcpy(data, bytes.data(), size);
    return {};
  }

protected:
  caf::error apply_impl(std::int8_t& n) override { return number<std::uint8_t>(n); }
  caf::error apply_impl(std::uint8_t& n) override { return number<std::uint8_t>(n); }
  caf::error apply_impl(std::int16_t& n) override { return number<std::uint16_t>(n); }
  caf::error apply_impl(std::uint16_t& n) override { return number<std::uint16_t>(n); }
  caf::error apply_impl(std::int32_t& n) override { return number<std::uint32_t>(n); }
  caf::error apply_impl(std::uint32_t& n) override { return number<std::uint32_t>(n); }
  caf::error apply_impl(std::int64_t& n) override { return number<std::uint64_t>(n); }
  caf::error apply_impl(std::uint64_t& n) override { return number<std::uint64_t>(n); }
  caf::error apply_impl(float& n) override { return number<std::uint32_t>(n); }
  caf::error apply_impl(double& n) override { return number<std::uint64_t>(n); }
  caf::error apply_impl(long double& n) override {
    n = 0;
    if (in_.u8() != LDBL_MANT_DIG)
      return malformed("a long double of another kind of machine");
    return apply_raw(long_double_bytes, &n);
  }
  caf::error apply_impl(std::string& text) override {
    const auto size = in_.varint();
    text = in_.raw(static_cast<std::size_t>(size));
    return in_.ok() ? caf::error{} : malformed("a text that ends early");
  }
  caf::error apply_impl(std::u16string& text) override { return characters<std::uint16_t>(text); }
  caf::error apply_impl(std::u32string& text) override { return characters<std::uint32_t>(text); }

private:
  template <class Bits>
  static Bits take(std::string_view bytes) noexcept {
    Bits n = 0;
    for (std::size_t i = 0; i < sizeof(Bits); ++i)
      n = static_cast<Bits>(
        n | static_cast<Bits>(static_cast<Bits>(static_cast<unsigned char>(bytes[i])) << (8 * i)));
    return n;
  }
  template <class Bits, class N>
  caf::error number(N& n) {
    n = {};
    if (!depth_.fits())
      return malformed("values that lie too deep within each other");
    const auto bytes = in_.raw(sizeof(Bits));
    if (!in_.ok())
      return malformed("a number that ends early");
    n = bits_of<N>(take<Bits>(bytes));
    return {};
  }
  template <class Bits, class Text>
  caf::error characters(Text& text) {
    text.clear();
    const auto size = in_.varint();
    if (!in_.ok() || size > SIZE_MAX / sizeof(Bits))
      return malformed("a text that ends early");
    const auto bytes = in_.raw(static_cast<std::size_t>(size) * sizeof(Bits));
    if (!in_.ok())
      return malformed("a text that ends early");
    text.reserve(static_cast<std::size_t>(size));
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(Bits))
      text += static_cast<typename Text::value_type>(take<Bits>(bytes.substr(at)));
    return {};
  }

  wire::reader in_;
  std::uint64_t elements_left_; // that the message may still claim
  std::uint64_t elements_ = 0;  // that it has claimed
  const depth depth_;
  verdict verdict_;
};

// How many zeros there are behind a number of bytes that claim these elements.
std::uint64_t zeros_behind(std::uint64_t bytes, std::uint64_t elements) noexcept {
  return elements > bytes ? elements - bytes : 0;
}

std::string name_of(const caf::rtti_pair& type) {
  return type.second != nullptr ? class_name(*type.second)
                                : caf::numbered_type_names[type.first - 1];
}

// Returns the name by which a type of the user's travels; null if it has none.
const std::string* travel_name(const caf::uniform_type_info_map& types,
                               const caf::rtti_pair& type) {
  const auto& name = types.portable_name(type.first, type.second);
  return &name == &types.default_type_name() || name.empty() ? nullptr : &name;
}

failure cannot_travel(const caf::rtti_pair& type, std::string_view why) {
  return {errc::not_supported,
          "a " + name_of(type) + " does not travel to other nodes: " + std::string{why}};
}

failure may_travel(const caf::uniform_type_info_map& types, const caf::rtti_pair& type) {
  if (type.first != 0)
    return is_local(type.first) ? cannot_travel(type, names_travel) : failure{};
  const auto* const name = travel_name(types, type);
  if (name == nullptr)
    return cannot_travel(type, "give it an inspect(), and name it at each node's start by "
                               "runtime_options::configure, with config.add_message_type");
  if (name->size() > 255)
    return cannot_travel(type,
                         "the name that add_message_type has for it is longer than 255 bytes");
  return {};
}

// Returns what `fn` makes of the values of a message; an exception of a user's inspect is its failure.
template <class F>
failure guarded(F fn) {
  try {
    return fn();
  } catch (...) {
    return caught();
  }
}

} // namespace

failure may_travel(caf::actor_system& system, const caf::type_erased_tuple& content) {
  if (content.size() > most_values)
    return {errc::not_supported, "a message of more than 255 values does not travel"};
  for (std::size_t i = 0; i < content.size(); ++i)
    if (auto why = may_travel(system.types(), content.type(i)))
      return why;
  return {};
}

failure write_message(std::string& out, caf::actor_system& system,
                      const caf::type_erased_tuple& content) {
  if (auto why = may_travel(system, content))
    return why;
  const auto before = out.size();
  auto why = guarded([&]() -> failure {
    put_varint(out, content.size());
    value_writer values{out};
    for (std::size_t i = 0; i < content.size(); ++i) {
      const auto type = content.type(i);
      put_varint(out, type.first);
      if (type.first == 0) {
        const auto& name = *travel_name(system.types(), type);
        out += static_cast<char>(static_cast<unsigned char>(name.size()));
        out += name;
      }
      const auto error = content.save(i, values);
      if (!values.why().empty())
        return cannot_travel(type, values.why());
      if (error)
        return cannot_travel(type, error == caf::sec::no_context ? std::string{names_travel}
                                                                 : failure{error}.message());
    }
    out.append(static_cast<std::size_t>(zeros_behind(out.size() - before, values.elements())),
               '\0');
    return {};
  });
  if (why)
    out.resize(before);
  return why;
}

outcome<caf::message> read_message(caf::actor_system& system, bytes_view bytes) {
  caf::message result;
  auto why = guarded([&]() -> failure {
    value_reader values{bytes};
    auto& in = values.in();
    const auto refuse = [&](std::string_view what) -> failure {
      static_cast<void>(values.malformed(what));
      return {errc::malformed_input, "a message with " + values.why()};
    };
    const auto count = in.varint();
    if (!in.ok() || count > most_values)
      return refuse("no count of its values");
    auto data = caf::make_counted<caf::detail::dynamic_message_data>();
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto number = in.varint();
      caf::type_erased_value_ptr value;
      if (number != 0) {
        if (number >= caf::type_nrs || is_local(static_cast<std::uint16_t>(number)))
          return refuse("a value of a type that does not travel");
        value = system.types().make_value(static_cast<std::uint16_t>(number));
      } else {
        const auto name = std::string{in.text()};
        if (!in.ok() || name.empty())
          return refuse("a value that has no type");
        value = system.types().make_value(name);
        if (!value || is_local(value->type_nr()))
          return {errc::not_supported,
                  "a message has a " + name.substr(0, 255)
                    + ", which this program does not know: name it at the "
                      "start by runtime_options::configure, with config.add_message_type"};
      }
      if (!in.ok() || !value)
        return refuse("a value that ends early");
      const auto error = value->load(values);
      if (!values.why().empty())
        return refuse({});
      if (error || !in.ok())
        return refuse("a value that its inspect() refuses");
      data->append(std::move(value));
    }
    const auto rest = in.rest();
    if (rest.size() != zeros_behind(bytes.size() - rest.size(), values.elements())
        || rest.find_first_not_of('\0') != std::string_view::npos)
      return refuse("something behind its end");
    if (count != 0)
      result = caf::message{caf::detail::message_data::cow_ptr{std::move(data)}};
    return {};
  });
  if (why)
    return why;
  return result;
}

} // namespace troupe::detail
