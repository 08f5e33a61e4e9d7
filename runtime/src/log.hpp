#pragma once

#include <exception>
#include <string>

#include <caf/type_erased_tuple.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/dead_letter.hpp>
#include <troupe/runtime/detail/is_internal.hpp>
#include <troupe/runtime/detail/note_dead_letter.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace caf {
class abstract_actor;
class mailbox_element;
} // namespace caf

namespace troupe {
class basic_actor;
class loop_scheduler;
} // namespace troupe

namespace troupe::detail {

/// Returns what the exception says of itself.
std::string describe(const std::exception_ptr& e);

/// Returns a message as text, such as "('add', 1)". It is bounded: of a text the beginning is shown, and of
/// what is no number, text or actor its type.
[[nodiscard]] std::string describe_message(const caf::type_erased_tuple& content);

/// Appends to `key` what tells messages of one type from others.
void append_types(std::string& key, const caf::type_erased_tuple& content);

/// Returns the actor's `log_name`, or another one if that throws.
[[nodiscard]] std::string name_for_log(const basic_actor& self) noexcept;

/// Lets go of the exception that `note_place` was told of last in this thread. A loop does so before it
/// sleeps and when it ends, or the object would stay until the next exception.
void forget_place() noexcept;

/// Logs the exception that is being handled. `owner` names whose code it left.
void log_uncaught(spdlog::logger& logger, const char* owner) noexcept;

/// Tells what actors tell each other about their ends, and what a clock sends, from messages.
[[nodiscard]] bool is_of_the_system(const caf::type_erased_tuple& content) noexcept;

/// Counts a letter by its reason, and hands it to `observe_dead_letters`'s observer.
void tell_observer(loop_scheduler& scheduler, const dead_letter& letter) noexcept;

} // namespace troupe::detail
