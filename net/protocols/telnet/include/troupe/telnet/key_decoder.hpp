#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace troupe {

/// The keys of a terminal that have a name.
enum class key : std::uint8_t {
  character, ///< a letter and the like, also with Ctrl or Alt: `key_event::character`
  enter,
  tab,
  back_tab,
  backspace,
  escape,
  up,
  down,
  left,
  right,
  home,
  end,
  center, ///< the 5 of a keypad without numbers
  insert,
  del,
  page_up,
  page_down,
  function, ///< F1 to F20: `key_event::number`
  position, ///< no key: the terminal tells where its cursor is, as it was asked
  unknown,  ///< a sequence that means nothing here: `key_event::bytes`
};

/// What a person did.
struct key_event {
  key what = key::unknown;
  char32_t character = 0; ///< lower case with `ctrl`
  bool ctrl = false;
  bool alt = false;
  bool shift = false;      ///< with keys that have a name
  std::uint8_t number = 0; ///< of a function key
  std::uint16_t row = 0;   ///< of `position`, zero-based, as `column`
  std::uint16_t column = 0;
  std::string_view bytes{}; ///< what came; good for the call only

  /// Tells whether it is a character pressed with Ctrl.
  [[nodiscard]] bool is_control(char32_t c) const noexcept {
    return what == key::character && ctrl && !alt && character == c;
  }
};

/// Makes keys of what a terminal sends: VT100, xterm, the Linux console, tmux, PuTTY.
///
/// The keys do not depend on how the input is cut. A sequence that is not complete waits; only time can
/// tell the key Esc from the beginning of one, so whoever has `pending()` calls `timed_out()` after some
/// 50 ms of silence. At most 32 bytes are kept.
///
/// CR, LF, CR LF and CR NUL are one Enter each. Characters are UTF-8; what is not is U+FFFD, and C1
/// controls are unknown keys.
///
/// Thread: one at a time. Source: ECMA-48; twisted.conch.insults.insults.ServerProtocol
class key_decoder {
public:
  /// Takes a key; returns false to have the bytes behind it back.
  using taker = std::function<bool(const key_event&)>;

  /// Takes the next bytes. \returns how many were taken: all, unless `to` returned false
  std::size_t feed(std::string_view bytes, const taker& to);

  /// Tells whether a sequence has begun and is not complete.
  [[nodiscard]] bool pending() const noexcept { return !kept_.empty(); }

  /// Takes what is pending for what it is by itself: Esc, Alt with a letter, or nothing known.
  void timed_out(const taker& to);

private:
  static constexpr std::size_t longest = 32;

  enum class state : std::uint8_t { ground, escape, csi, console, ss3, utf8 };

  bool take(char c, const taker& to);
  bool take_ground(char c, const taker& to);
  bool take_escape(char c, const taker& to);
  bool take_utf8(char c, const taker& to);
  bool finish_csi(char last, const taker& to);
  bool finish(key_event event, const taker& to);

  std::string kept_; // the sequence so far
  state state_ = state::ground;
  char after_ = 0;           // the CR or LF before, whose other half is no key
  std::uint8_t missing_ = 0; // bytes of a character of UTF-8
  bool alt_ = false;         // ESC was in front
};

} // namespace troupe
