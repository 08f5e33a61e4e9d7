#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <troupe/history/kept_topics.hpp>
#include <troupe/irc/history.hpp>

#include "irc_history.hpp"

namespace troupe::irc {
class session;
}

/// Reads for one client of IRC what it asks of the past (`irc_history_walk`), and answers it.
///
/// Thread: its client's. Lifetime: a member of its client.
class irc_history_reader {
public:
  /// So many of all clients wait for the store at once; more are refused. What is in memory is for all.
  static constexpr long most_at_the_store = 8;

  explicit irc_history_reader(troupe::irc::session& client) : client_(client) {}

  /// Begins. The answer comes in a later turn: then the client may ask again.
  ///
  /// \param store  is owned once, and once more for each who waits for the store
  void read(troupe::kept_topic from, std::string channel,
            const troupe::irc::history_question& question, std::weak_ptr<void> store);

  /// Where something may have been said: a channel, and what is kept of it.
  struct place {
    std::string channel;
    troupe::kept_topic from;
  };

  /// Looks up when the last thing was said in each of these places, and answers with that. Likewise.
  void read_targets(std::vector<place> places);

private:
  static constexpr std::size_t places_a_line = 10; // that cost a client as much as saying a line

  struct looking {
    std::vector<place> places; // to be looked at
    std::vector<troupe::irc::history_target> found{};
  };

  struct reading {
    troupe::kept_topic from;
    irc_history_walk walk;
    std::weak_ptr<void> store;
    std::shared_ptr<void> turn; // once it waits for the store
  };

  void next_page();
  void take(const troupe::history_page& page);
  void next_place();
  void refuse(const char* why);

  troupe::irc::session& client_;
  std::unique_ptr<reading> reading_; // null: no lines are asked for
  std::unique_ptr<looking> looking_; // null: no places are
};
