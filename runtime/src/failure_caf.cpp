// Failures as CAF knows them: as its errors, and as what is left of one on another node.
#include <troupe/runtime/failure.hpp>

#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>

#include "failure_data.hpp"
#include "log.hpp"

namespace troupe {

using detail::failure_data;
using detail::is;
using detail::is_ours;
using detail::type_of;

namespace {

constexpr auto troupe_atom = caf::atom("troupe");
constexpr auto errno_atom = caf::atom("errno");
constexpr auto generic_atom = caf::atom("generic");

// The codes of one category of CAF's own, as those of std::error_code.
class caf_category final : public std::error_category {
public:
  using render = std::string (*)(int code);
  caf_category(const char* name, caf::atom_value atom, render text)
    : name_(name), atom_(atom), text_(text) {}

  const char* name() const noexcept override { return name_; }
  std::string message(int code) const override { return text_(code); }
  [[nodiscard]] caf::atom_value atom() const noexcept { return atom_; }

private:
  const char* const name_;
  const caf::atom_value atom_;
  const render text_;
};

template <class Code>
std::string name_of(int code) {
  return to_string(static_cast<Code>(code));
}

template <class Wanted>
const caf_category* find_caf_category(Wanted is_it) {
  static const caf_category all[] = {
    {"caf::system", caf::atom("system"), &name_of<caf::sec>},
    {"caf::exit", caf::atom("exit"), &name_of<caf::exit_reason>},
    {"caf::parser", caf::atom("parser"), &name_of<caf::pec>},
  };
  for (const auto& category : all)
    if (is_it(category))
      return &category;
  return nullptr;
}

const caf_category* find_caf_category(caf::atom_value atom) {
  return find_caf_category([=](const caf_category& c) { return c.atom() == atom; });
}

const caf_category* find_caf_category(const std::string& name) {
  return find_caf_category([&](const caf_category& c) { return name == c.name(); });
}

std::string without_suffix(std::string text, const std::string& suffix) {
  if (text.ends_with(": " + suffix))
    text.resize(text.size() - suffix.size() - 2);
  else if (text == suffix)
    text.clear();
  return text;
}

} // namespace

std::string detail::caf_text(const caf::error& e) {
  const auto* const category = find_caf_category(e.category());
  if (category == nullptr)
    return caf::to_string(e);
  auto text = category->message(e.code());
  if (!e.context().empty())
    text += describe_message(e.context());
  return text;
}

failure::failure(const caf::error& e) {
  if (!e)
    return;
  const auto& context = e.context();
  if (context.match_elements<failure>()) {
    *this = context.get_as<failure>(0);
    return;
  }
  auto text =
    context.match_elements<std::string>() ? context.get_as<std::string>(0) : std::string{};
  if (e.category() == troupe_atom)
    *this = failure(static_cast<errc>(e.code()), std::move(text));
  else if (e.category() == errno_atom)
    *this = failure(std::error_code(e.code(), std::system_category()), std::move(text));
  else if (e.category() == generic_atom)
    *this = failure(std::error_code(e.code(), std::generic_category()), std::move(text));
  else if (e == caf::sec::request_timeout)
    *this = errc::timed_out;
  else if (e == caf::sec::request_receiver_down)
    *this = errc::actor_down;
  else if (e == caf::sec::unexpected_message)
    *this = failure(errc::no_handler, std::move(text));
  else {
    auto* data = new failure_data;
    data->code = errc::foreign;
    if (const auto* const category = find_caf_category(e.category()))
      data->code = {e.code(), *category};
    data->caf = e;
    bits_ = reinterpret_cast<std::uintptr_t>(data);
  }
}

bool failure::check(const caf::error& e) const {
  if (!bare() && data()->caf)
    return data()->caf == e;
  const auto mine = to_caf_error();
  // The translated ones: a caf::sec::request_timeout is found as errc::timed_out.
  return mine == e || mine == failure(e).to_caf_error();
}

caf::error failure::to_caf_error() const {
  if (bare()) {
    const auto code = static_cast<errc>(bits_ >> 1);
    return code == errc::none ? caf::error{} : make_error(code);
  }
  const auto& d = *data();
  if (d.caf)
    return d.caf;
  const auto c = code();
  const bool fits = c.value() > 0 && c.value() < 256;
  auto category = troupe_atom;
  auto number = static_cast<std::uint8_t>(errc::foreign);
  if (fits && is_ours(c)) {
    number = static_cast<std::uint8_t>(c.value());
  } else if (fits && c.category() == std::system_category()) {
    category = errno_atom;
    number = static_cast<std::uint8_t>(c.value());
  } else if (fits && c.category() == std::generic_category()) {
    category = generic_atom;
    number = static_cast<std::uint8_t>(c.value());
  }
  return {number, category, caf::make_message(*this)};
}

failure::wire_format failure::to_wire() const {
  const auto c = code();
  wire_format wire{c.value(), c.category().name(), {}, {}};
  if (bare())
    return wire;
  const auto& d = *data();
  if (d.exception != nullptr) {
    wire.text = message();
    if (is(c, errc::exception))
      wire.type_name = type_of(d.exception);
    else // a std::system_error, whose text ends with what its code says already
      wire.text = without_suffix(std::move(wire.text), c.message());
  } else if (d.caf) {
    wire.text = message();
    wire.number = d.caf.code();
    wire.category = type_name();
  } else if (!d.remote_type.empty()) {
    wire.text = d.text;
    if (is(c, errc::exception)) {
      wire.type_name = d.remote_type;
    } else {
      wire.number = d.number;
      wire.category = d.remote_type;
    }
  } else {
    // A category that the other side may not know cannot say its message there.
    const bool known = is_ours(c) || c.category() == std::system_category()
                       || c.category() == std::generic_category();
    wire.text = known ? d.text : message();
  }
  return wire;
}

failure failure::from_wire(const wire_format& wire) {
  const auto known = [&]() -> const std::error_category* {
    for (const auto* c : {&troupe_category(), &std::system_category(), &std::generic_category()})
      if (wire.category == c->name())
        return c;
    return nullptr;
  }();
  if (known != nullptr && wire.type_name.empty()) {
    failure result{std::error_code(wire.number, *known), wire.text};
    if (!result.bare())
      const_cast<failure_data*>(result.data())->where.reset(); // it was made elsewhere
    return result;
  }
  auto* data = new failure_data;
  data->text = wire.text;
  data->number = wire.number;
  if (const auto* const category = find_caf_category(wire.category)) {
    data->code = {wire.number, *category};
    data->caf = caf::error{static_cast<std::uint8_t>(wire.number), category->atom()};
  } else if (!wire.type_name.empty()) {
    data->code = errc::exception;
    data->remote_type = wire.type_name;
  } else {
    data->code = errc::foreign;
    data->remote_type = wire.category;
  }
  return failure{data};
}

void register_failure(caf::actor_system_config& config) {
  config.add_message_type<failure>("failure");
  config.add_error_category(
    troupe_atom, [](std::uint8_t code, caf::atom_value, const caf::message& context) {
      if (context.match_elements<failure>())
        return context.get_as<failure>(0).message();
      if (context.match_elements<std::string>())
        return failure(static_cast<errc>(code), context.get_as<std::string>(0)).message();
      return failure(static_cast<errc>(code)).message();
    });
  for (const auto category : {errno_atom, generic_atom})
    config.add_error_category(
      category, [category](std::uint8_t code, caf::atom_value, const caf::message& context) {
        return failure(caf::error{code, category, context}).message();
      });
}

} // namespace troupe
