#include "log.hpp"

#include <array>
#include <exception>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/atom.hpp>
#include <caf/duration.hpp>
#include <caf/timespan.hpp>
#include <caf/type_nr.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/logger.hpp>

namespace troupe::detail {

namespace {

// The exception that left something which `note_place` was told of. It is kept, for the next one may lie
// where it was.
struct noted {
  std::exception_ptr exception;
  const char* place = nullptr;
};

constinit thread_local bool anything_noted = false;

noted& latest() {
  thread_local noted one;
  return one;
}

template <class... Ts>
bool is_one_of(std::uint16_t number) {
  return ((number == caf::type_nr<Ts>::value) || ...);
}

// What is short as text whatever its value.
bool is_short(std::uint16_t number) {
  return is_one_of<bool, std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                   std::uint16_t, std::uint32_t, std::uint64_t, float, double, caf::atom_value,
                   caf::actor, caf::actor_addr, caf::strong_actor_ptr, caf::duration, caf::timespan,
                   caf::unit_t>(number);
}

std::string describe_element(const caf::type_erased_tuple& content, std::size_t i) {
  constexpr std::size_t longest_text = 64;
  constexpr std::size_t longest_type = 128;
  const auto [number, type] = content.type(i);
  if (number == caf::type_nr<std::string>::value)
    return '"' + escape_text(*static_cast<const std::string*>(content.get(i)), longest_text) + '"';
  if (is_short(number))
    return content.stringify(i);
  auto name =
    type != nullptr ? class_name(*type) : std::string{caf::numbered_type_names[number - 1]};
  if (name.size() > longest_type)
    name.replace(longest_type, std::string::npos, "...");
  return '<' + name + '>';
}

} // namespace

void note_place(const char* name) noexcept {
  auto e = std::current_exception();
  if (auto& l = latest(); l.exception != e || l.place == nullptr)
    l = {std::move(e), name};
  anything_noted = true;
}

void forget_place() noexcept {
  if (std::exchange(anything_noted, false))
    latest() = {};
}

const char* noted_place() noexcept {
  return anything_noted && latest().exception == std::current_exception() ? latest().place
                                                                          : nullptr;
}

std::string describe(const std::exception_ptr& e) {
  const failure f{e};
  return f.type_name() + ": " + f.message();
}

std::string describe_exception() {
  return describe(std::current_exception());
}

std::string describe_message(const caf::type_erased_tuple& content) {
  constexpr std::size_t most_elements = 8;
  std::string text = "(";
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (i != 0)
      text += ", ";
    if (i == most_elements) {
      text += "...";
      break;
    }
    text += describe_element(content, i);
  }
  return text + ')';
}

void append_types(std::string& key, const caf::type_erased_tuple& content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto [number, type] = content.type(i);
    key += ' ';
    key += type != nullptr ? type->name() : std::to_string(number);
    if (number == caf::type_nr<caf::atom_value>::value) // which tells messages apart as a type does
      key += content.stringify(i);
  }
}

void log_uncaught(spdlog::logger& logger, const char* owner) noexcept {
  try {
    logger.error("unhandled exception in {}: {}", owner, describe_exception());
  } catch (...) {
    // Nothing is left that could be told to anybody.
  }
}

void log_exception(spdlog::logger& logger, std::string_view owner,
                   std::string_view place) noexcept {
  try {
    const auto* const noted = noted_place();
    const auto text = describe_exception();
    logger.error("[{}] unhandled exception in {}: {}", owner, noted != nullptr ? noted : place,
                 text);
    forget_place();
  } catch (...) {
    // Nothing is left that could be told to anybody.
  }
}

} // namespace troupe::detail
