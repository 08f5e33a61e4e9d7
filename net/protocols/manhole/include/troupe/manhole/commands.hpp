#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/net/observer.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// What a command of a manhole is called with. It is good until the command returns: what goes on later, as a
/// deferred or a coroutine, copies what it needs.
struct manhole_call {
  const observer& seen; ///< of the process; `seen.of()` is its runtime
  std::string_view who; ///< such as "uid 1000, pid 4711", as the system vouches for it
  bool may_change;      ///< whether this manhole is for more than looking
  std::vector<std::string> arguments{}; ///< what follows the name of the command, split at spaces

  /// Throws what refuses the command, unless it may change something.
  void expect_changes() const;

  /// Returns an argument. \throws std::invalid_argument "which NAME?" if it is missing
  [[nodiscard]] const std::string& argument(std::size_t n, std::string_view name) const;

  /// Returns an argument as a number. \throws std::invalid_argument if it is none, or missing
  [[nodiscard]] std::uint64_t number(std::size_t n, std::string_view name) const;
};

/// The commands that people find in a manhole: those that every process has, and those that a program adds.
///
/// ```cpp
/// troupe::manhole_commands commands;
/// commands.add("kick", "kick NAME: closes the connection of a user",
///              [&](const troupe::manhole_call& call) { return users.kick(call.arguments.at(0)); },
///              troupe::manhole_commands::changes_something);
/// ```
///
/// A command returns text (several lines if it likes), a deferred of text, or nothing; what it throws, and a
/// failure, is told to who called it. It runs on the loop of the console, which may be any, and must not
/// block; what belongs to another loop it asks for by `ask`, or by `observer`.
///
/// Thread: one at a time, until a manhole has them; then they do not change.
class manhole_commands {
public:
  using function = std::function<deferred<std::string>(const manhole_call&)>;

  struct command {
    std::string help; ///< one line: how it is called, and after a colon what it does
    function run;
    bool changes =
      false; ///< something, so that it is refused in a manhole that is only for looking
  };

  enum kind : bool { looks = false, changes_something = true };

  /// Has those that every process has: `help` lists them.
  manhole_commands();

  /// Adds a command.
  ///
  /// \param name  letters, digits and `-`
  /// \throws std::invalid_argument if there is one of that name, or the name is none
  template <std::invocable<const manhole_call&> F>
  void add(const std::string& name, std::string help, F fn, kind what = looks) {
    add_function(name, {std::move(help), wrap(std::move(fn)), what == changes_something});
  }

  /// Returns the command of that name, or null.
  [[nodiscard]] const command* find(std::string_view name) const;

  [[nodiscard]] const std::map<std::string, command, std::less<>>& all() const noexcept {
    return commands_;
  }

  /// Returns the names that look most like `name`, at most three.
  [[nodiscard]] std::vector<std::string> nearest(std::string_view name) const;

private:
  template <class F>
  static function wrap(F fn) {
    return [fn = std::move(fn)](const manhole_call& call) mutable -> deferred<std::string> {
      using result = typename decltype(maybe_deferred(fn, call))::value_type;
      if constexpr (std::is_void_v<result>)
        return maybe_deferred(fn, call).add_callback([] { return std::string{}; });
      else
        return maybe_deferred(fn, call).add_callback(
          [](result text) { return std::string{std::move(text)}; });
    };
  }

  void add_function(const std::string& name, command c);

  std::map<std::string, command, std::less<>> commands_;
};

} // namespace troupe
