#include <memory>
#include <ostream>
#include <typeinfo>

#include <cxxabi.h>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/failure.hpp>

#include "failure_data.hpp"

namespace troupe {

using detail::failure_data;
using detail::is;
using detail::is_ours;
using detail::type_of;

// The standard library puts a colon behind an empty text, too.
std::system_error detail::error_with_context(errc code, const std::string& context) {
  return context.empty() ? std::system_error(make_error_code(code))
                         : std::system_error(make_error_code(code), context);
}

namespace {

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

std::string detail::type_of(const std::exception_ptr& e) {
  return visit(e, [](const std::exception* x) -> std::string {
    return class_name(x != nullptr ? typeid(*x) : *abi::__cxa_current_exception_type());
  });
}

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
    return d.text.empty() ? detail::caf_text(d.caf) : d.text;
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

} // namespace troupe
