#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// What users and rooms of the chat may be called, and which names look alike.

/// What is wrong with a name.
enum class name_fault {
  none,
  empty,       ///< nothing in it can be seen
  too_long,    ///< more than `longest_name` characters, or `longest_name_bytes` bytes
  unprintable, ///< control characters, private ones, or no UTF-8
  ambiguous,   ///< one of < > [ ] and comma, which stand around the names of users and between them
};

/// As its reader counts: grapheme clusters of Unicode, so an accent or the parts of an emoji do not
/// count by themselves.
constexpr std::size_t longest_name = 32;

/// So that a cluster, which has no limit of its own, is none either.
constexpr std::size_t longest_name_bytes = 128;

struct checked_name {
  std::string name; ///< as it is shown; only if there is no fault
  name_fault fault = name_fault::none;
};

/// Returns what `text` is as a name of a room: NFC, without white space at its ends, with a plain
/// space for each white space inside, and without invisible characters (those that Unicode lets a
/// display ignore), but for joiners and variation selectors, which emoji and some scripts need.
///
/// Source: RFC 8266, with NFC in the place of NFKC, so that a name is shown as its owner wrote it
[[nodiscard]] checked_name check_room_name(std::string_view text);

/// Likewise for the name of a user, which also has to stand apart from what is around it:
/// `<name> text`, `[name] text`, and `name, name`.
[[nodiscard]] checked_name check_user_name(std::string_view text);

/// Returns what all names that look like `name` have in common, for comparison only: NFKC, without
/// differences of case, without all that is invisible. Letters of several scripts that look alike
/// (Latin and Cyrillic a) remain different: who must tell them apart needs UTS 39's tables.
/// What is no UTF-8 is the name of nobody, and looks like itself alone.
[[nodiscard]] std::string look_of(std::string_view name);
