#include "subscriber_list.hpp"

#include "subscriber.hpp"

namespace troupe::detail {

namespace {

// Below it, what a list that shrinks could give back is not worth the copying.
constexpr std::size_t worth_shrinking = 64;

} // namespace

std::uint32_t subscriber_list::add(const subscriber_entry& entry) {
  entries_.push_back(entry);
  return static_cast<std::uint32_t>(entries_.size() - 1);
}

void subscriber_list::remove(std::uint32_t index) noexcept {
  if (walks_ == 0)
    return take_last(index);
  entries_[index].who = nullptr;
  ++holes_;
}

void subscriber_list::take_last(std::uint32_t index) noexcept {
  if (index + 1 != entries_.size()) {
    entries_[index] = entries_.back();
    entries_[index].who->subscriptions[entries_[index].slot].index = index;
  }
  entries_.pop_back();
  if (entries_.capacity() > worth_shrinking && entries_.size() < entries_.capacity() / 4)
    entries_.shrink_to_fit();
}

void subscriber_list::close_holes() noexcept {
  std::uint32_t kept = 0;
  for (auto& entry : entries_) {
    if (entry.who == nullptr)
      continue;
    entry.who->subscriptions[entry.slot].index = kept;
    entries_[kept++] = entry;
  }
  entries_.resize(kept);
  holes_ = 0;
}

std::uint32_t subscriber_list::find(const subscriber& who) const noexcept {
  for (std::uint32_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].who == &who)
      return i;
  return none;
}

} // namespace troupe::detail
