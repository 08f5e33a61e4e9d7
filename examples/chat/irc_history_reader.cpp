#include "irc_history_reader.hpp"

#include <chrono>
#include <utility>

#include <troupe/irc/session.hpp>

void irc_history_reader::read(troupe::kept_topic from, std::string channel,
                              const troupe::irc::history_question& question,
                              std::weak_ptr<void> store) {
  reading_ = std::make_unique<reading>(
    reading{std::move(from), {std::move(channel), question}, std::move(store), nullptr});
  if (reading_->walk.begin() == irc_history_walk::step::unknown)
    return refuse("There is no such message");
  next_page();
}

void irc_history_reader::next_page() {
  auto& r = *reading_;
  const auto request = r.walk.next();
  // The newest ones are in memory, or are read once for all who want them.
  if (request.before.epoch != 0 && !r.turn) {
    if (r.store.use_count() > most_at_the_store)
      return refuse("Too many read what was said before; please ask again");
    r.turn = r.store.lock();
  }
  r.from.history(client_, request)
    .add_callback([this](const troupe::history_page& page) { take(page); })
    .add_errback([this](const troupe::failure&) {
      refuse("What was said before cannot be read at the moment");
    });
}

void irc_history_reader::take(const troupe::history_page& page) {
  if (!reading_)
    return;
  auto& walk = reading_->walk;
  switch (walk.take(page)) {
  case irc_history_walk::step::more:
    client_.charge(1);
    return next_page();
  case irc_history_walk::step::done:
    client_.call_later(troupe::duration::zero(),
                       [this, lines = walk.lines()] { client_.answer_history(lines); });
    return reading_.reset();
  case irc_history_walk::step::too_far:
    return refuse("That is too far back");
  case irc_history_walk::step::unknown:
    return refuse("There is no such message");
  }
}

void irc_history_reader::read_targets(std::vector<place> places) {
  client_.charge(places.size() / places_a_line);
  looking_ = std::make_unique<looking>(looking{std::move(places)});
  next_place();
}

void irc_history_reader::next_place() {
  if (looking_->places.empty()) {
    client_.call_later(troupe::duration::zero(), [this, found = std::move(looking_->found)] {
      client_.answer_history_targets(found);
    });
    return looking_.reset();
  }
  const auto at = std::move(looking_->places.back());
  looking_->places.pop_back();
  // The newest ones are in memory, or are read once for all who want them.
  at.from.history(client_, {.limit = 1})
    .add_callback([this, channel = at.channel](const troupe::history_page& page) {
      if (!looking_)
        return;
      if (!page.messages.empty())
        looking_->found.push_back(
          {channel, std::chrono::system_clock::time_point{
                      std::chrono::milliseconds{page.messages.back()->time}}});
      next_place();
    })
    .add_errback([this](const troupe::failure&) {
      refuse("What was said before cannot be read at the moment");
    });
}

void irc_history_reader::refuse(const char* why) {
  const bool asked = std::exchange(reading_, nullptr) || std::exchange(looking_, nullptr);
  if (!asked)
    return;
  client_.call_later(troupe::duration::zero(), [this, why] { client_.refuse_history(why); });
}
