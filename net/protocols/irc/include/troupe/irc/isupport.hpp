#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/irc/case_mapping.hpp>

namespace troupe::irc {

/// What a server says of itself in its 005 lines; defaults until it does.
///
/// Thread: any, one at a time. Source: twisted.words.protocols.irc.ServerSupportedFeatures
class isupport {
public:
  /// Takes one token: `KEY`, `KEY=value` (with \xHH), or `-KEY`, which goes back to the default.
  ///
  /// \returns false if it is malformed, and then nothing changes
  bool take(std::string_view token);

  /// Returns a value as text, or nullopt if the server has not said it.
  [[nodiscard]] std::optional<std::string_view> value(std::string_view key) const;

  /// Returns a number; `otherwise` where it is missing or none.
  [[nodiscard]] std::size_t number(std::string_view key, std::size_t otherwise) const;

  /// Returns a list of limits, such as CHANLIMIT, MAXLIST, TARGMAX: `#&:20,+:` gives {"#&", 20}, {"+", no
  /// limit}.
  struct limit {
    std::string of;
    std::optional<std::size_t> most;
  };
  [[nodiscard]] std::vector<limit> limits(std::string_view key) const;

  [[nodiscard]] std::size_t channel_length() const { return number("CHANNELLEN", 200); }
  [[nodiscard]] std::size_t nick_length() const { return number("NICKLEN", 9); }
  [[nodiscard]] std::size_t modes() const { return number("MODES", 3); }
  [[nodiscard]] std::string channel_types() const;
  [[nodiscard]] case_mapping names() const;

  /// Tells whether `name` begins as channels do here.
  [[nodiscard]] bool is_channel(std::string_view name) const;

  /// Returns the letters of modes and the signs in front of nicks, strongest first: "ov", "@+".
  [[nodiscard]] const std::string& prefix_modes() const noexcept { return prefix_modes_; }
  [[nodiscard]] const std::string& prefix_signs() const noexcept { return prefix_signs_; }

  /// Tells whether a channel's mode has a parameter when it is set, or taken away.
  [[nodiscard]] bool has_parameter(char mode, bool set) const;

private:
  bool take_prefix(std::string_view value);

  std::map<std::string, std::string, std::less<>> values_;
  std::string prefix_modes_ = "ov";
  std::string prefix_signs_ = "@+";
};

} // namespace troupe::irc
