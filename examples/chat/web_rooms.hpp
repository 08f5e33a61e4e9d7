#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <troupe/actors/topic.hpp>

#include "rooms.hpp"

/// A room as the web door sees it: who is there by any door, and how those of this one are reached.
struct web_room {
  std::string look;
  std::string name;
  std::map<std::string, std::string> present; ///< names by their looks
  std::size_t pages = 0;                      ///< of this door
  std::shared_ptr<chat_room> room;            ///< while there are some
  troupe::topic told;                         ///< messages for them

  /// Returns what a page is told when it comes.
  [[nodiscard]] nlohmann::json description() const;
};

/// The picture that the web door has of the chat, as the registry tells what happens. Thread: loop 0.
class web_rooms {
public:
  /// \param tell  sends a message to the pages in a room
  explicit web_rooms(std::function<void(const web_room&, const nlohmann::json&)> tell)
    : tell_(std::move(tell)) {}

  // -- what the registry tells --------------------------------------------------------------------

  void entered(const std::string& name, const std::string& room);
  void left(const std::string& name, const std::string& room);
  void renamed(const std::string& former, const std::string& name);
  void gone(const std::string& name);

  // -- what pages do ------------------------------------------------------------------------------

  /// Returns the room, an empty one if there is none.
  [[nodiscard]] web_room& get(const std::string& name);
  [[nodiscard]] web_room* find(std::string_view look);

  /// Forgets the room if nobody is there.
  void tidy(web_room& room);

  /// Returns names and numbers of users: those of most users, `most` at most.
  [[nodiscard]] nlohmann::json list(std::size_t most) const;

  /// Tells whether the list has changed since this was called last.
  [[nodiscard]] bool take_changed() noexcept { return std::exchange(changed_, false); }

private:
  void end(web_room& room, const std::string& look);

  std::function<void(const web_room&, const nlohmann::json&)> tell_;
  std::map<std::string, web_room, std::less<>> rooms_;  // by their looks
  std::map<std::string, std::set<std::string>> places_; // looks of rooms by those of who is there
  bool changed_ = false;
};

/// Returns `{is: "said", ...}` of a block of lines that was published in a room: `<name> text`, or `* name does`.
/// What is neither is left out.
[[nodiscard]] nlohmann::json said_in(const std::string& look, std::string_view lines);
