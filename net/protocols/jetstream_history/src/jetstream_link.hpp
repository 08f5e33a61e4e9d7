#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/history/history_store.hpp>
#include <troupe/jetstream_history/jetstream_history.hpp>
#include <troupe/nats/jetstream.hpp>
#include <troupe/nats/nats_connection.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// Returns `text` as one token of a subject: what is not a letter, a digit, `-` or `_` as percent and two digits.
[[nodiscard]] std::string subject_token(std::string_view text);

/// Returns the text that `subject_token` made that of; none if it is no such.
[[nodiscard]] std::optional<std::string> token_text(std::string_view token);

/// Some messages of a topic as they were read, the oldest first; none is missing between them.
struct read_stretch {
  std::deque<kept_message> messages;
  std::size_t bytes = 0;
  std::uint64_t before =
    0; ///< the sequence of the one before the first of them, if that is `known`
  bool known = false;
  bool cut = false;     ///< there were more, for which there were too many bytes
  std::size_t read = 0; ///< messages, with those that were more than wanted

  void add(kept_message message);
  void prepend(read_stretch older);
  void keep_newest(const history_query& of); ///< no more than it wants
};

/// Two connections, the stream, and the topics that are followed. Who waits for the server keeps it alive. In two files:
/// jetstream_link.cpp (the stream, appending, what is heard) and jetstream_reading.cpp.
class jetstream_core : public std::enable_shared_from_this<jetstream_core> {
public:
  jetstream_core(runtime& rt, const jetstream_history_options& options, history_events& events);

  void start();
  void end(); ///< nothing is told any more

  deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                    std::string_view id);
  deferred<history_page> read(std::string_view topic, const history_query& query);
  void follow(std::string_view topic, bool on);
  deferred<void> close();

private:
  using self_ref = std::shared_ptr<jetstream_core>;

  static deferred<history_page> read_page(self_ref self, std::string topic, history_query query);
  static deferred<std::uint64_t> last_of(self_ref self, std::string subject);
  static deferred<std::uint64_t> next_of(self_ref self, std::string subject, std::uint64_t from);
  static deferred<read_stretch> read_part(self_ref self, std::string subject, std::uint64_t from,
                                          std::uint64_t end, history_query query);
  static deferred<read_stretch> read_on(self_ref self, std::string subject, std::uint64_t from,
                                        std::uint64_t end, history_query query);
  static std::string id_of(std::optional<std::string_view> header);
  [[nodiscard]] jetstream store() const; // raises when it has ended

  [[nodiscard]] std::unique_ptr<nats_connection> connect(bool jetstream_core::*up);
  [[nodiscard]] stream_config config() const;
  [[nodiscard]] std::string subject_of(std::string_view topic) const;
  [[nodiscard]] failure meaning_of(const failure& why);
  void happened(const nats_event& e, bool jetstream_core::*up);
  void look_for_stream();
  void look_anew();
  void look_later(duration span);
  void leader_elected();
  void have_looked(outcome<stream_info> got);
  void lost(const failure& why);
  void subscribe(const std::string& topic);
  void heard(const std::string& topic, const nats_message_view& m);
  void answered();

  runtime& rt_;
  const jetstream_history_options options_;
  history_events* events_;                 // null: it has ended
  std::unique_ptr<nats_connection> live_;  // what is told
  std::unique_ptr<nats_connection> store_; // what is asked
  bool live_up_ = false;
  bool store_up_ = false;
  std::uint64_t look_ = 0; // the present one; 0: nobody has been asked what the stream is
  std::uint64_t latest_look_ = 0;
  unsigned broken_looks_ = 0;            // in a row, of which the connection was lost
  std::optional<time_point> elected_at_; // when a leader was told of, and looked for
  delayed_call again_;                   // the next look
  std::uint64_t epoch_ = 0;
  std::uint64_t doubted_ = 0; // the other one that the stream was said to have
  nats_subscription leaders_; // tells that a server leads the stream from now on

  struct followed {
    nats_subscription subscription;
    bool settled = false; // the server has it
  };
  std::map<std::string, followed, std::less<>> followed_;
  std::size_t appending_ = 0;
  std::optional<promise<void>> closed_;
};

} // namespace troupe::detail
