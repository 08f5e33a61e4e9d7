#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <troupe/irc/history.hpp>
#include <troupe/irc/server_options.hpp>
#include <troupe/irc/server_state.hpp>
#include <troupe/net/factory.hpp>

namespace troupe {
class event_loop;
}

namespace troupe::irc {

class session;

/// A server of IRC: its users, its channels, and what happens to them.
///
/// It lives on one loop, with all of its connections; so it needs no lock, and a line to a channel is one
/// pass over its members.
///
/// ```cpp
/// auto server = std::make_shared<troupe::irc::server>(troupe::irc::server_options{.name = "irc.example"});
/// troupe::listen_tcp(rt, 6667, server->make_factory(), {.placement = troupe::placement::same_loop});
/// ```
///
/// A program that has users of its own derives from it: it brings them in as guests, and hears of what is
/// said to them.
///
/// Thread: its loop's, or before `run()`. Source: RFC 2812, modern.ircdocs.horse, twisted.words.service
class server : public std::enable_shared_from_this<server> {
public:
  explicit server(server_options options = {});
  virtual ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Returns a factory of its connections. The port must have `placement::same_loop`: a connection on another
  /// loop than the first one is aborted, and that is logged.
  [[nodiscard]] virtual factory_ref make_factory();

  [[nodiscard]] const server_options& options() const noexcept { return options_; }

  // -- who is here -------------------------------------------------------------------------------

  [[nodiscard]] user* find_user(std::string_view nick);
  [[nodiscard]] channel* find_channel(std::string_view name);
  [[nodiscard]] std::size_t users() const noexcept { return users_.size(); }
  [[nodiscard]] std::size_t channels() const noexcept { return channels_.size(); }

  // -- guests, who are connected elsewhere ---------------------------------------------------------

  /// Adds a guest, or returns null if the nick is taken or none.
  user* add_guest(std::string nick, std::string name, std::string host, std::string realname);

  // -- what happens: all who have to know are told, guests by the hooks ---------------------------

  /// Lets `who` into a channel, which is made if there is none. Without effect if he is there.
  void enter(user& who, std::string_view channel_name);
  void leave(user& who, channel& where, std::string_view reason);

  /// Ends `who`: he leaves all channels, and the object is gone.
  void end(user& who, std::string_view reason);

  /// Gives another nick, which is free, or the same written otherwise.
  void rename(user& who, const std::string& nick);

  /// Says a text to a channel or to one alone: each of its lines by itself, cleaned (`clean_text`), and cut where it
  /// does not fit. What is empty is not said.
  void say(user& from, channel& to, std::string_view text, bool notice = false,
           std::string_view tags = {});
  void tell(user& from, user& to, std::string_view text, bool notice = false,
            std::string_view tags = {});

  void set_topic(channel& where, std::string_view by, std::string_view text);

  /// Tells whether this may be a nick.
  [[nodiscard]] virtual bool is_nick(std::string_view text) const;
  [[nodiscard]] virtual bool is_channel_name(std::string_view text) const;

  /// Returns what names that are one have in common.
  [[nodiscard]] virtual std::string fold(std::string_view name) const;

protected:
  // -- hooks: nothing happens unless overridden -----------------------------------------------------

  /// A client wants a nick that nobody here has. The answer is `session::answer_nick`, now or later; the
  /// client's next lines wait for it. Granted at once unless overridden.
  virtual void nick_wanted(session& who, const std::string& nick);

  /// The client has registered; what it is sent at the beginning is sent.
  virtual void came(session&) {}

  /// A client goes. It is still in its channels.
  virtual void goes(session&, std::string_view /*reason*/) {}

  virtual void renamed(user&, const std::string& /*former*/) {}
  virtual void entered(user&, channel&, bool /*as_first*/) {}
  virtual void left(user&, channel&, std::string_view /*reason*/) {}
  virtual void topic_set(channel&, std::string_view /*by*/) {}

  /// Something was said in a channel by one of its clients.
  virtual void said(user&, channel&, std::string_view /*text*/, bool /*notice*/) {}

  /// Something was said to a guest.
  virtual void told(user&, user& /*guest*/, std::string_view /*text*/, bool /*notice*/) {}

  /// A client that is in a channel asks for what was said there. The answer is `session::answer_history` or
  /// `refuse_history`, now or later; the client's next lines wait for it. Only with `server_options::history_limit`.
  virtual void history_wanted(session& who, channel&, const history_question&);

  /// A client asks where something was said: in channels where it is, and by whom to it alone. The answer is
  /// `session::answer_history_targets` or `refuse_history`, as above.
  virtual void history_targets_wanted(session& who, const history_targets_question&);

  /// An operator wants a guest out of a channel. \returns false if it cannot be
  virtual bool kick_guest(user&, channel&, std::string_view /*reason*/) { return false; }

private:
  friend class session;

  struct address {
    std::size_t open = 0;
    std::size_t recent = 0;
    time_point since{};
  };
  enum class admission : std::uint8_t { granted, too_many, too_fast, full };

  [[nodiscard]] bool lives_on(const event_loop& loop) noexcept;
  admission admit(const std::string& host, time_point now);
  void release(const std::string& host, time_point now);
  [[nodiscard]] std::string cloak(const std::string& host) const;
  user& add(user&& who);
  bool set_invisible(user& who, bool on) noexcept;       // whether it was otherwise
  bool set_server_operator(user& who, bool on) noexcept; // likewise
  void send_to(user& who, announcement& what);
  void send_to(channel& where, announcement& what, const user* left_out = nullptr,
               std::uint32_t only_with = 0);
  void send_to_friends(user& who, announcement& what, bool oneself, std::uint32_t only_with = 0);
  void remove(user& who, channel& where);
  static void invite(user& who, channel& to);
  static void uninvite(user& who, channel& to);
  void tell_away(user& who);
  void tell_account(user& who);

  server_options options_;
  std::atomic<const event_loop*> loop_ = nullptr;                // that of the first connection
  std::unordered_map<std::string, std::unique_ptr<user>> users_; // by folded nicks
  std::unordered_map<std::string, std::unique_ptr<channel>> channels_;
  std::unordered_map<std::string, address> addresses_;
  time_point looked_through_{}; // for those who come no more
  std::size_t unregistered_ = 0;
  std::size_t clients_ = 0;
  std::size_t most_users_ = 0;
  std::size_t invisible_ = 0;
  std::size_t operators_ = 0;
  std::uint64_t mark_ = 0;
  std::uint64_t secret_;
  std::chrono::system_clock::time_point since_;
};

} // namespace troupe::irc
