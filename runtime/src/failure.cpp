#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <ostream>
#include <typeinfo>

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>
#include <cxxabi.h>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/failure.hpp>

#include "log.hpp"

namespace troupe {

namespace detail {

struct failure_data {
  mutable std::atomic<std::size_t> references{1};
  std::exception_ptr exception;
  std::error_code code = make_error_code(errc::none); // if there is no exception
  std::string text;
  // Of an exception on another node: its type. Of a code of another node: its category, and then
  // `number` is the code.
  std::string remote_type;
  int number = 0;
  caf::error caf; // an error of one of CAF's own categories
  std::optional<source_location> where;
};

} // namespace detail

using detail::failure_data;

// The standard library puts a colon behind an empty text, too.
std::system_error detail::error_with_context(errc code, const std::string& context) {
  return context.empty() ? std::system_error(make_error_code(code))
                         : std::system_error(make_error_code(code), context);
}

namespace {

constexpr auto troupe_atom = caf::atom("troupe");
constexpr auto errno_atom = caf::atom("errno");
constexpr auto generic_atom = caf::atom("generic");

bool is_ours(const std::error_code& code) {
  return code.category() == troupe_category();
}

bool is(const std::error_code& code, errc name) {
  return code == make_error_code(name);
}

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

/// What is thrown where the text says it all, and that of the code would only say it again.
struct told_error final : std::system_error {
  told_error(const std::error_code& c, std::string text)
    : std::system_error(c), text_(std::make_shared<const std::string>(std::move(text))) {}
  const char* what() const noexcept override { return text_->c_str(); }

private:
  std::shared_ptr<const std::string> text_; // exceptions are copied, and that must not throw
};

// Calls `f` with the exception as std::exception, or with null if it is not one.
template <class F>
auto visit(const std::exception_ptr& e, F f) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& x) {
    return f(&x);
  } catch (...) {
    return f(static_cast<const std::exception*>(nullptr));
  }
}

std::string type_of(const std::exception_ptr& e) {
  return visit(e, [](const std::exception* x) -> std::string {
    return detail::class_name(x != nullptr ? typeid(*x) : *abi::__cxa_current_exception_type());
  });
}

std::string what_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& x) {
    return x.what();
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text;
  } catch (...) {
    return "no description";
  }
}

std::exception_ptr nested_in(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::nested_exception& x) {
    return x.nested_ptr();
  } catch (...) {
    return nullptr;
  }
}

std::string without_suffix(std::string text, const std::string& suffix) {
  if (text.ends_with(": " + suffix))
    text.resize(text.size() - suffix.size() - 2);
  else if (text == suffix)
    text.clear();
  return text;
}

// CAF itself prints the numbers of its codes only.
std::string caf_text(const caf::error& e) {
  const auto* const category = find_caf_category(e.category());
  if (category == nullptr)
    return caf::to_string(e);
  auto text = category->message(e.code());
  if (!e.context().empty())
    text += detail::describe_message(e.context());
  return text;
}

std::string text_of(const std::error_code& code, const std::string& context) {
  if (context.empty())
    return code.message();
  if (is(code, errc::no_handler)) // its context is the message
    return "no handler for " + context;
  return context + ": " + code.message();
}

std::string location_text(const source_location& where) {
  return std::string("\n  at ") + where.file_name() + ":" + std::to_string(where.line()) + " ("
         + where.function_name() + ")";
}

} // namespace

failure::failure(failure_data* data) noexcept : bits_(reinterpret_cast<std::uintptr_t>(data)) {}

failure::failure(errc code, std::string context, source_location where)
  : failure(make_error_code(code), std::move(context), where) {}

failure::failure(std::error_code code, std::string context, source_location where) {
  if (!code) {
    return;
  }
  if (is_ours(code) && context.empty()) {
    bits_ = tag(static_cast<errc>(code.value()));
    return;
  }
  auto* data = new failure_data;
  data->code = code;
  data->text = std::move(context);
  data->where = where;
  bits_ = reinterpret_cast<std::uintptr_t>(data);
}

failure::failure(std::exception_ptr e, source_location where) {
  if (e == nullptr)
    return;
  auto* data = new failure_data;
  data->exception = std::move(e);
  data->where = where;
  bits_ = reinterpret_cast<std::uintptr_t>(data);
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

failure failure::current(source_location where) {
  auto e = std::current_exception();
  if (e == nullptr)
    throw no_current_exception("failure::current() outside of a catch block");
  return {std::move(e), where};
}

std::error_code failure::code() const {
  if (bare())
    return static_cast<errc>(bits_ >> 1);
  if (data()->exception == nullptr)
    return data()->code;
  return visit(data()->exception, [](const std::exception* x) -> std::error_code {
    if (const auto* system = dynamic_cast<const std::system_error*>(x))
      return system->code();
    return errc::exception;
  });
}

bool failure::check(const std::error_code& code) const {
  if (!bare() && !data()->remote_type.empty() && is(data()->code, errc::foreign)
      && data()->remote_type == code.category().name() && data()->number == code.value())
    return true;
  return this->code() == code;
}

bool failure::check(const caf::error& e) const {
  if (!bare() && data()->caf)
    return data()->caf == e;
  const auto mine = to_caf_error();
  // The translated ones: a caf::sec::request_timeout is found as errc::timed_out.
  return mine == e || mine == failure(e).to_caf_error();
}

bool failure::matches(bool (*is_one)(const std::exception_ptr&)) const {
  return *this && is_one(value());
}

std::exception_ptr failure::value() const {
  if (!bare() && data()->exception != nullptr)
    return data()->exception;
  const auto c = code();
  const auto text = bare() ? std::string{} : data()->text;
  if (is(c, errc::cancelled))
    return std::make_exception_ptr(cancelled_error(text));
  if (is(c, errc::timed_out))
    return std::make_exception_ptr(timeout_error(text));
  if (is(c, errc::exception))
    return std::make_exception_ptr(
      remote_exception(bare() ? std::string{} : data()->remote_type, text));
  if (!bare() && (data()->caf || (is(c, errc::no_handler) && !text.empty())))
    return std::make_exception_ptr(told_error(c, message()));
  return std::make_exception_ptr(text.empty() ? std::system_error(c) : std::system_error(c, text));
}

void failure::raise() const {
  std::rethrow_exception(value());
}

std::string failure::message() const {
  if (bare())
    return code().message();
  const auto& d = *data();
  if (d.exception != nullptr)
    return what_of(d.exception);
  if (d.caf)
    return d.text.empty() ? caf_text(d.caf) : d.text;
  if (!d.remote_type.empty())
    return d.text;
  return text_of(d.code, d.text);
}

std::string failure::context() const {
  return bare() || data()->exception != nullptr || data()->caf ? std::string{} : data()->text;
}

std::string failure::type_name() const {
  if (bare())
    return "troupe::errc::" + std::string(name(static_cast<errc>(bits_ >> 1)));
  const auto& d = *data();
  if (d.exception != nullptr)
    return type_of(d.exception);
  if (!d.remote_type.empty())
    return d.remote_type;
  if (d.caf)
    return "caf::" + caf::to_string(d.caf.category());
  if (is_ours(d.code))
    return "troupe::errc::" + std::string(name(static_cast<errc>(d.code.value())));
  return d.code.category().name();
}

std::string failure::brief_traceback() const {
  auto result = type_name() + ": " + message();
  if (bare())
    return result;
  const auto& d = *data();
  if (d.where)
    result += location_text(*d.where);
  for (auto e = d.exception ? nested_in(d.exception) : nullptr; e != nullptr; e = nested_in(e))
    result += "\ncaused by " + type_of(e) + ": " + what_of(e);
  return result;
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

failure detail::caught() noexcept {
  auto* data = new failure_data;
  data->exception = std::current_exception();
  return failure{data};
}

void failure::retain_data() const noexcept {
  data()->references.fetch_add(1, std::memory_order_relaxed);
}

void failure::release_data() noexcept {
  if (data()->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    delete data();
}

std::ostream& operator<<(std::ostream& out, const failure& f) {
  return out << f.message();
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
