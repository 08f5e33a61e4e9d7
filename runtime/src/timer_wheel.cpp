#include "timer_wheel.hpp"

namespace troupe::detail {

timer_wheel::~timer_wheel() {
  remove_if([](timer_mark) { return true; });
}

timer_wheel::bucket timer_wheel::take(std::size_t level, unsigned digit) noexcept {
  filled_[level] = filled_[level] & ~(std::uint64_t{1} << digit);
  auto taken = std::exchange(buckets_[level][digit], {});
  size_ -= taken.size;
  return taken;
}

void timer_wheel::put_back(std::size_t level, unsigned digit, bucket what) noexcept {
  buckets_[level][digit] = what;
  size_ += what.size;
  if (what.size != 0)
    filled_[level] = filled_[level] | std::uint64_t{1} << digit;
}

void timer_wheel::grow(bucket& which) {
  auto* const b = spare_ != nullptr ? std::exchange(spare_, spare_->before) : new block;
  b->before = std::exchange(which.last, b);
  b->size = 0;
}

void timer_wheel::free_spare() noexcept {
  while (auto* const b = spare_) {
    spare_ = b->before;
    delete b;
  }
}

} // namespace troupe::detail
