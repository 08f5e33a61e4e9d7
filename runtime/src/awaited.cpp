#include "awaited.hpp"

namespace troupe::detail {

namespace {

// What actors waited with, for the next ones of this thread that wait: one that waits for nothing has none, and one
// that asks all the time takes no memory for it.
struct spare_awaited {
  static constexpr std::size_t most = 64;
  static constexpr std::size_t most_buckets = 64;
  static constexpr std::size_t most_debts = 8; // which are looked at behind each answer

  spare_awaited() { all.reserve(most); }
  ~spare_awaited() { is_over = true; }

  std::vector<std::unique_ptr<awaited>> all;
  static inline thread_local bool is_over = false;

  static spare_awaited* here() {
    thread_local spare_awaited spare;
    return is_over ? nullptr : &spare;
  }
};

} // namespace

std::unique_ptr<awaited> awaited::take() {
  if (auto* const spare = spare_awaited::here(); spare != nullptr && !spare->all.empty()) {
    auto one = std::move(spare->all.back());
    spare->all.pop_back();
    return one;
  }
  return std::make_unique<awaited>();
}

// Unless it waits for something else, or has a large table from a burst, which it keeps for the next one.
void awaited::give_back(std::unique_ptr<awaited>& one) noexcept {
  if (one->coroutines != nullptr || one->takers.bucket_count() > spare_awaited::most_buckets
      || one->debts.size() > spare_awaited::most_debts)
    return;
  std::erase_if(one->debts, [](const auto& weak) { return weak.expired(); });
  if (!one->debts.empty())
    return;
  auto* const spare = spare_awaited::here();
  if (spare != nullptr && spare->all.size() < spare_awaited::most)
    spare->all.push_back(std::move(one));
  else
    one.reset();
}

} // namespace troupe::detail
