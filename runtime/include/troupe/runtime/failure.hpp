#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <caf/error.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/meta/save_callback.hpp>
#include <caf/meta/type_name.hpp>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/source_location.hpp>

namespace caf {
class actor_system_config;
} // namespace caf

namespace troupe {

namespace detail {

/// Makes an error whose text is that of its code, behind `context` if there is one.
[[nodiscard]] std::system_error error_with_context(errc code, const std::string& context);

} // namespace detail

/// What a failure of `errc::cancelled` throws when it is raised.
struct cancelled_error : std::system_error {
  explicit cancelled_error(const std::string& context = {})
    : std::system_error(detail::error_with_context(errc::cancelled, context)) {}
};

/// What a failure of `errc::timed_out` throws when it is raised.
struct timeout_error : std::system_error {
  explicit timeout_error(const std::string& context = {})
    : std::system_error(detail::error_with_context(errc::timed_out, context)) {}
};

/// What a failure throws when it is raised that came from an exception on another node.
///
/// `what()` is the text of the original; its type exists here only as a name.
struct remote_exception : std::runtime_error {
  remote_exception(std::string type, const std::string& what)
    : std::runtime_error(what), type_name(std::move(type)) {}
  std::string type_name;
};

/// Reports `failure::current()` outside of a catch block.
/// Source: twisted.internet.defer.NoCurrentExceptionError
struct no_current_exception : std::logic_error {
  using std::logic_error::logic_error;
};

class failure;

namespace detail {

/// Tells the types that a failure can be made from as an exception: not a code, not a failure.
template <class E>
concept exception_type = std::derived_from<std::remove_cvref_t<E>, std::exception>;

struct failure_data;

/// Returns the exception that is being handled, with no place told: it is ours, not the user's.
failure caught() noexcept;

} // namespace detail

/// Says why something did not work: an error code or an exception, with a text if there is more
/// to tell.
///
/// It is what errbacks get, what `connection_lost` is given, and what travels between actors. It
/// is one pointer wide, shared and immutable; copying is cheap, and one that is a bare `errc`
/// allocates nothing. It converts to and from `std::error_code` and `caf::error`.
///
/// ```cpp
/// void connection_lost(const failure& why) override {
///   if (!why.check(errc::connection_done))
///     log("lost: {}", why.message());
/// }
/// ```
///
/// Sent to an actor of this process, it arrives as it is. On another node it arrives with its
/// code, category and text; an exception arrives as `errc::exception` with its text and the name
/// of its type, and raises a `remote_exception`.
///
/// Thread: any; different threads may use copies at the same time.
/// Source: twisted.python.failure.Failure
class failure {
public:
  /// Makes a failure of `errc::none`, which says that nothing is wrong. A moved-from one is this.
  constexpr failure() noexcept = default;

  /// Makes a failure of a bare code.
  failure(errc code) noexcept : bits_(tag(code)) {}

  /// \param context  what the code alone does not tell, such as a name or an address
  failure(errc code, std::string context, source_location where = source_location::current());

  /// Makes a failure of a foreign or a Troupe error code.
  failure(std::error_code code, std::string context = {},
          source_location where = source_location::current());

  /// Holds `e`. A null one makes `errc::none`.
  failure(std::exception_ptr e, source_location where = source_location::current());

  /// Holds a copy of the exception `e`.
  template <detail::exception_type E>
  failure(E&& e, source_location where = source_location::current())
    : failure(std::make_exception_ptr(std::forward<E>(e)), where) {}

  /// Makes what `e` says. CAF's own codes for a time-out, a dead receiver and a message without a
  /// handler become Troupe's names; its other codes are kept.
  failure(const caf::error& e);

  failure(const failure& other) noexcept : bits_(other.bits_) { retain(); }
  failure(failure&& other) noexcept : bits_(std::exchange(other.bits_, tag(errc::none))) {}
  failure& operator=(failure other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~failure() { release(); }

  /// Holds the exception that is being handled.
  ///
  /// \throws no_current_exception outside of a catch block
  [[nodiscard]] static failure current(source_location where = source_location::current());

  /// Tells whether something is wrong at all: whether this is not `errc::none`.
  explicit operator bool() const noexcept { return bits_ != tag(errc::none); }

  /// Returns the error code: that of the failure, or of the `std::system_error` it holds. Any
  /// other exception has `errc::exception`, a code of CAF's own that number in a category of CAF's
  /// name ("caf::system", "caf::exit", "caf::parser"), and one of a category unknown here
  /// `errc::foreign`.
  [[nodiscard]] std::error_code code() const;

  /// Tells whether the failure has this code.
  [[nodiscard]] bool check(errc code) const {
    return (bits_ & 1) != 0 ? bits_ == tag(code) : check(make_error_code(code));
  }

  /// Tells whether the failure has this code. A code that came from another node is compared by
  /// number and by the name of its category.
  [[nodiscard]] bool check(const std::error_code& code) const;

  /// Tells whether the failure's code means `condition`, such as a `std::errc`.
  [[nodiscard]] bool check(const std::error_condition& condition) const {
    return code() == condition;
  }

  /// Tells whether the failure has the code and category of `e`, such as a `caf::sec`.
  [[nodiscard]] bool check(const caf::error& e) const;

  /// Tells whether raising the failure would throw an `E`.
  template <class E>
  requires std::is_class_v<E>
  [[nodiscard]] bool check() const {
    return matches([](const std::exception_ptr& e) {
      try {
        std::rethrow_exception(e);
      } catch (const E&) {
        return true;
      } catch (...) {
        return false;
      }
    });
  }

  /// Goes on if one of the `Es` matches, as in `check`; throws what it holds otherwise, as for an
  /// errback that deals with some failures and leaves the others to the next one.
  template <class... Es>
  requires(sizeof...(Es) > 0) void trap() const {
    if (!(check<Es>() || ...))
      raise();
  }

  /// As above, for codes.
  template <class... Codes>
  requires(sizeof...(Codes) > 0
           && (std::is_error_code_enum_v<Codes> && ...)) void trap(Codes... codes) const {
    if (!(check(codes) || ...))
      raise();
  }

  /// Returns what `raise` throws. An error code becomes a `std::system_error`: a `cancelled_error`
  /// or a `timeout_error` where that is its name.
  [[nodiscard]] std::exception_ptr value() const;

  /// Throws what the failure holds.
  [[noreturn]] void raise() const;

  /// Returns one line for people: the context if there is one, and what the code or exception says.
  [[nodiscard]] std::string message() const;

  /// Returns what was said when the failure was made with a code and a context; else nothing.
  [[nodiscard]] std::string context() const;

  /// Returns the name of the exception's type, or of the code's category.
  [[nodiscard]] std::string type_name() const;

  /// Returns several lines: type and message, where the failure was made if that is known, and
  /// the exceptions nested in it (`std::throw_with_nested`), outermost first.
  /// Source: Failure.getBriefTraceback
  [[nodiscard]] std::string brief_traceback() const;

  /// Makes a CAF error that carries this failure.
  [[nodiscard]] caf::error to_caf_error() const;

  friend std::string to_string(const failure& f) { return f.message(); }
  friend std::ostream& operator<<(std::ostream& out, const failure& f);

  /// Found by CAF, so that a failure can be part of a message.
  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, failure& x) {
    auto wire = x.to_wire();
    auto load = [&]() -> caf::error {
      x = from_wire(wire);
      return caf::none;
    };
    return f(caf::meta::type_name("failure"), wire.number, wire.category, wire.text, wire.type_name,
             caf::meta::load_callback(load));
  }

private:
  friend failure detail::caught() noexcept;

  // What is left of a failure on another node.
  struct wire_format {
    std::int32_t number = 0;
    std::string category;
    std::string text;
    std::string type_name;
  };

  static constexpr std::uintptr_t tag(errc code) noexcept {
    return static_cast<std::uintptr_t>(code) << 1 | 1;
  }
  static failure from_wire(const wire_format& wire);
  wire_format to_wire() const;

  explicit failure(detail::failure_data* data) noexcept;
  bool matches(bool (*is_one)(const std::exception_ptr&)) const;
  const detail::failure_data* data() const noexcept {
    return reinterpret_cast<const detail::failure_data*>(bits_);
  }
  bool bare() const noexcept { return (bits_ & 1) != 0; }
  void retain() const noexcept {
    if (!bare())
      retain_data();
  }
  void release() noexcept {
    if (!bare())
      release_data();
  }
  void retain_data() const noexcept;
  void release_data() noexcept;

  // A bare code, tagged by the lowest bit, or a pointer to counted data.
  std::uintptr_t bits_ = tag(errc::none);
};

/// Makes CAF print Troupe's error codes, and send failures to other nodes. Every configuration of
/// an actor system whose actors exchange failures needs it; a `runtime` does it by itself.
void register_failure(caf::actor_system_config& config);

} // namespace troupe
