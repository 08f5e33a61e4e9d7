#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::irc {

class server;
class session;
struct channel;

/// What clients may ask for with CAP REQ.
enum capability : std::uint32_t {
  cap_message_tags = 1u << 0,
  cap_server_time = 1u << 1,
  cap_account_tag = 1u << 2,
  cap_echo_message = 1u << 3,
  cap_away_notify = 1u << 4,
  cap_account_notify = 1u << 5,
  cap_extended_join = 1u << 6,
  cap_multi_prefix = 1u << 7,
  cap_userhost_in_names = 1u << 8,
  cap_batch = 1u << 9,
  cap_labeled_response = 1u << 10,
  cap_invite_notify = 1u << 11,
  cap_cap_notify = 1u << 12,
  cap_sasl = 1u << 13,
  cap_chathistory = 1u << 14,
};

/// What somebody may do in a channel.
enum rank : std::uint8_t { rank_none = 0, rank_voice = 1, rank_operator = 2 };

/// Somebody in the server: a client of its own, or a guest, who is connected elsewhere.
struct user {
  struct place {
    irc::channel* where;
    std::uint8_t rank;
  };

  [[nodiscard]] bool invisible() const noexcept { return invisible_; }
  [[nodiscard]] bool server_operator() const noexcept { return server_operator_; }
  [[nodiscard]] std::string prefix() const { return nick + '!' + name + '@' + host; }
  [[nodiscard]] place* place_in(const irc::channel& c) noexcept {
    for (auto& p : places)
      if (p.where == &c)
        return &p;
    return nullptr;
  }

  std::string nick; ///< as it is written
  std::string name; ///< of the user, as USER said it, with "~"
  std::string host; ///< as others see it
  std::string realname;
  std::string account; ///< empty: not logged in
  std::string away;    ///< empty: here
  std::vector<place> places;
  std::vector<channel*> invitations; ///< whose `channel::invited` has this one
  session* connection = nullptr;     ///< null for a guest
  std::chrono::system_clock::time_point since;
  time_point last_said{};
  std::uint64_t mark = 0; ///< the last event that was delivered to this one

private:
  friend class server; // which counts them
  bool invisible_ = false;
  bool server_operator_ = false;
};

/// A channel: there while somebody is in it.
struct channel {
  struct ban {
    std::string mask; ///< as it was given, whole
    std::string by;
    std::int64_t at;
  };

  std::string name; ///< as it was written first
  std::string topic;
  std::string topic_by;
  std::int64_t topic_at = 0;
  std::string key;
  std::size_t limit = 0; ///< 0: none
  std::vector<user*> members;
  std::vector<ban> bans;
  std::vector<user*> invited; ///< an invitation ends with either side
  std::int64_t since = 0;
  bool moderated = false;
  bool invite_only = false;
  bool members_only = true;
  bool secret = false;
  bool topic_protected = true;
};

/// One event for many: made once in each form that somebody wants, and shared by all who want that.
///
/// The forms differ in tags: the time, the sender's account, those of the client that sent it.
class announcement {
public:
  /// \param from         the prefix
  /// \param account      of the sender
  /// \param client_tags  as they are sent; only for who has message-tags
  announcement(std::string_view from, std::string_view account, std::string_view client_tags = {});

  /// Returns the line that follows the prefix, without its end, to be written before the first `form`.
  [[nodiscard]] std::string& text() noexcept { return text_; }

  /// Returns the bytes for who has these capabilities.
  [[nodiscard]] const shared_bytes& form(std::uint32_t capabilities);

private:
  std::string from_, account_, tags_, text_;
  std::array<shared_bytes, 8> forms_;
};

/// Returns the time as the tag has it: "2026-01-31T23:59:59.123Z".
[[nodiscard]] std::string tag_time(std::chrono::system_clock::time_point when);

/// Reads such a time, or nothing if it is none. It may be without milliseconds; years are 1970 to 9999, and what is later than
/// the clock can tell (from 2262 on) is the latest that it can.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point>
parse_tag_time(std::string_view text);

} // namespace troupe::irc
