#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe::irc {

/// Why a line is no message.
enum class message_fault : std::uint8_t {
  none,
  empty_line,     ///< nothing but spaces
  no_command,     ///< tags or a prefix, and nothing behind
  forbidden_byte, ///< CR, LF or NUL inside
};

/// Returns what is wrong, as a sentence without its end: "a prefix without a command".
[[nodiscard]] std::string_view to_string(message_fault fault) noexcept;

/// One message of IRC, as views into the line that it was read from: good for as long as that.
///
/// `[@tags SP] [:prefix SP] command params [SP :trailing]`. Several spaces count as one, a lone ":"
/// is an empty last parameter, and the 15th parameter takes the rest. What is in the parts is bytes: nothing
/// promises that they are UTF-8, or fit to be shown (`clean_text`).
///
/// Thread: any. Source: RFC 2812 2.3.1; IRCv3 message-tags; twisted.words.protocols.irc.parsemsg
class message {
public:
  static constexpr std::size_t most_params = 15;

  /// Reads `line`, which has no line end. After a fault the message is empty.
  [[nodiscard]] message_fault parse(std::string_view line) noexcept;

  [[nodiscard]] std::string_view tags() const noexcept { return tags_; } ///< as sent, without "@"
  [[nodiscard]] std::string_view prefix() const noexcept { return prefix_; } ///< without ":"
  [[nodiscard]] std::string_view command() const noexcept { return command_; }
  [[nodiscard]] std::span<const std::string_view> params() const noexcept {
    return {params_.data(), count_};
  }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

  /// Returns a parameter, or nothing where there are fewer.
  [[nodiscard]] std::string_view param(std::size_t index) const noexcept {
    return index < count_ ? params_[index] : std::string_view{};
  }

  /// Returns the last parameter, or nothing.
  [[nodiscard]] std::string_view last() const noexcept {
    return count_ == 0 ? std::string_view{} : params_[count_ - 1];
  }

  /// Tells whether the command is `name`, in capitals or not.
  [[nodiscard]] bool is(std::string_view name) const noexcept;

  /// Returns the command's number if it is three digits, else 0.
  [[nodiscard]] unsigned numeric() const noexcept;

  /// Returns the value of a tag, unescaped: empty for one without a value, nullopt if it is not there. Of
  /// several with the same key the last counts.
  [[nodiscard]] std::optional<std::string> tag(std::string_view key) const;

private:
  std::string_view tags_;
  std::string_view prefix_;
  std::string_view command_;
  std::array<std::string_view, most_params> params_;
  std::size_t count_ = 0;
};

/// Who a prefix names: `nick[!user][@host]`, or a server. The parts are views into it.
struct prefix_parts {
  std::string_view nick; ///< or the name of a server
  std::string_view user;
  std::string_view host;
};

[[nodiscard]] prefix_parts split_prefix(std::string_view prefix) noexcept;

/// Writes one message behind what is in a string.
///
/// ```cpp
/// std::string out;
/// irc::line{out, "irc.example", "332"}.param(nick).param("#c").trailing(topic).end();
/// ```
///
/// What it is given never breaks out of its place: bytes that would end the line, parameters that are
/// empty or begin with ":" or have a space where only the last one may, and more than 15 of them are
/// misuse. A line that is not ended is not taken back.
///
/// Length is not looked at: see `split_text`, `longest_line`.
///
/// Thread: any. Lifetime: shorter than the string's.
class line {
public:
  /// \param prefix  without ":"; empty for none
  /// \throws std::invalid_argument if the command is empty, has a space or begins with ":" or "@", or on a
  ///         forbidden byte
  line(std::string& to, std::string_view prefix, std::string_view command);

  /// Begins with tags, as they are sent and without "@"; empty for none.
  line(std::string& to, std::string_view tags, std::string_view prefix, std::string_view command);

  /// Adds a parameter. \throws std::invalid_argument if it cannot stand in the middle
  line& param(std::string_view text);

  /// Adds the last parameter, whatever it begins with. \throws std::invalid_argument on CR, LF or NUL
  line& trailing(std::string_view text);

  /// Adds CR LF.
  void end();

private:
  void count();

  std::string& to_;
  std::size_t params_ = 0;
  bool trailed_ = false;
};

/// Writes a whole message: the last of `params` is written as trailing where it has to be.
void append_line(std::string& to, std::string_view prefix, std::string_view command,
                 std::span<const std::string_view> params);

/// Escapes the value of a tag (`;`, space, CR, LF, `\`), and takes it back.
void append_tag_value(std::string& to, std::string_view value);
[[nodiscard]] std::string tag_value(std::string_view escaped);

/// Bytes of a line with its CR LF, without tags. Source: RFC 2812 2.3
inline constexpr std::size_t longest_line = 512;

/// Bytes of tags with "@" and space: from a client, and what a server may send. Source: IRCv3 message-tags
inline constexpr std::size_t longest_client_tags = 4096;
inline constexpr std::size_t longest_server_tags = 8191;

} // namespace troupe::irc
