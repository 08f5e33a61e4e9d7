#include "history_ring.hpp"

#include <algorithm>
#include <utility>

namespace troupe::detail {

void history_ring::clear() noexcept {
  messages_.clear();
  bytes_ = 0;
  floor_ = last_ = 0;
  known_ = false;
}

void history_ring::restart(std::uint64_t floor) noexcept {
  clear();
  floor_ = last_ = floor;
  known_ = true;
}

void history_ring::push(kept_ref message) {
  if (!known_)
    restart(message->previous);
  last_ = message->at.sequence;
  bytes_ += message->bytes.size();
  messages_.push_back(std::move(message));
  evict();
}

void history_ring::evict() {
  while (!messages_.empty() && (messages_.size() > most_.messages || bytes_ > most_.bytes)) {
    floor_ = messages_.front()->at.sequence;
    bytes_ -= messages_.front()->bytes.size();
    messages_.pop_front();
  }
}

void history_ring::take(const history_page& page) {
  restart(page.floor);
  for (const auto& message : page.messages)
    push(message); // `last_` is that of the last one: what a page does not have is not known
}

void history_ring::deepen(const history_page& older) {
  if (!known_ || older.floor >= floor_ || older.messages.empty()
      || older.messages.back()->at.sequence < floor_)
    return;
  for (auto i = older.messages.rbegin(); i != older.messages.rend(); ++i) {
    if ((*i)->at.sequence > floor_)
      continue; // it is here, if it was not dropped
    bytes_ += (*i)->bytes.size();
    messages_.push_front(*i);
  }
  floor_ = older.floor;
  evict();
}

void history_ring::widen(std::size_t messages, std::size_t bytes) noexcept {
  most_ = {std::max(usual_.messages, messages), std::max(usual_.bytes, bytes)};
}

void history_ring::narrow() {
  most_ = usual_;
  evict();
}

std::shared_ptr<const history_ring> history_ring::narrowed() const {
  auto copy = std::make_shared<history_ring>(*this);
  copy->narrow();
  return copy;
}

history_page history_ring::newest(std::uint64_t after, std::size_t limit) const {
  auto from = std::partition_point(messages_.begin(), messages_.end(),
                                   [after](const kept_ref& m) { return m->at.sequence <= after; });
  if (static_cast<std::size_t>(messages_.end() - from) > limit)
    from = messages_.end() - static_cast<std::ptrdiff_t>(limit);
  history_page page;
  page.messages.assign(from, messages_.end());
  page.last = last_;
  page.floor = from == messages_.begin() ? floor_ : (*std::prev(from))->at.sequence;
  return page;
}

} // namespace troupe::detail
