#include "rooms.hpp"

#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>

#include <troupe/net/printable.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "names.hpp"

bool are_lines(std::string_view lines) noexcept {
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    if (end == std::string_view::npos || !troupe::is_printable(lines.substr(0, end)))
      return false;
    lines.remove_prefix(end + 2);
  }
  return true;
}

chat_room::chat_room(troupe::runtime& rt, std::shared_ptr<chat_rooms> all, const std::string& look)
  : said(all->said(look)), happens(rt), kept(all->kept(look)), all_(std::move(all)) {}

chat_room::~chat_room() {
  all_->forget(look());
}

// [say]
void chat_room::say(troupe::pinned_actor& who, std::string_view lines,
                    troupe::except left_out) const {
  const troupe::shared_bytes bytes{lines};
  said.publish(bytes, left_out);
  if (kept)
    kept.append(who, bytes).add_errback([](const troupe::failure&) {
      // It has been logged. It was said, and nobody was promised that it is kept.
    });
}
// [/say]

bool chat_room::open() const noexcept {
  return behind_ == 0 && on_the_way_ < most_on_the_way * loops_;
}

bool chat_room::open_to(const caf::strong_actor_ptr& who) {
  const std::lock_guard lock{mutex_};
  if (open())
    return true;
  waiting_.emplace_back(who.get());
  return false;
}

// What is posted to a loop comes behind what was published to it, so it says how far that is.
void chat_room::published(troupe::loop_scheduler& loops, std::size_t bytes) {
  {
    const std::lock_guard lock{mutex_};
    loops_ = loops.size();
    on_the_way_ += bytes * loops_;
  }
  for (std::size_t i = 0; i < loops.size(); ++i)
    loops.loop(i).post([self = shared_from_this(), bytes] { self->arrived(bytes); });
}

void chat_room::arrived(std::size_t bytes) {
  std::unique_lock lock{mutex_};
  on_the_way_ -= bytes;
  tell_if_open(std::move(lock));
}

void chat_room::fell_behind() {
  const std::lock_guard lock{mutex_};
  ++behind_;
}

void chat_room::caught_up() {
  std::unique_lock lock{mutex_};
  --behind_;
  tell_if_open(std::move(lock));
}

void chat_room::tell_if_open(std::unique_lock<std::mutex> lock) {
  if (waiting_.empty() || !open())
    return;
  const auto waited = std::exchange(waiting_, {});
  lock.unlock();
  for (const auto& weak : waited)
    if (const auto who = weak.lock())
      who->enqueue(nullptr, caf::make_message_id(), caf::make_message(room_opened_atom::value),
                   troupe::event_loop::current());
}

std::shared_ptr<chat_room> chat_rooms::get(std::string_view name) {
  const auto look = look_of(name);
  const std::lock_guard lock{mutex_};
  auto& known = rooms_[look];
  if (auto room = known.lock())
    return room;
  auto room = std::make_shared<chat_room>(rt_, shared_from_this(), look);
  known = room;
  return room;
}

std::shared_ptr<chat_room> chat_rooms::find(const std::string& look) {
  const std::lock_guard lock{mutex_};
  const auto known = rooms_.find(look);
  return known != rooms_.end() ? known->second.lock() : nullptr;
}

troupe::topic chat_rooms::said(const std::string& look) const {
  return look.size() <= longest_shared ? topics_.get(look) : local_.get(look);
}

troupe::kept_topic chat_rooms::kept(const std::string& look) const {
  return kept_ != nullptr ? kept_->get(look) : troupe::kept_topic{};
}

void chat_rooms::forget(const std::string& look) {
  const std::lock_guard lock{mutex_};
  const auto found = rooms_.find(look);
  if (found != rooms_.end() && found->second.expired()) // else somebody has come back
    rooms_.erase(found);
}
