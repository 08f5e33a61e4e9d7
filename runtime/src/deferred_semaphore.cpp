#include <stdexcept>

#include <troupe/runtime/deferred_semaphore.hpp>

namespace troupe {

deferred_semaphore::deferred_semaphore(std::size_t tokens) : tokens_(tokens), limit_(tokens) {
  if (tokens == 0)
    throw std::logic_error("a semaphore without tokens");
}

deferred<void> deferred_semaphore::acquire() {
  if (tokens_ > 0 && waiters_.empty()) {
    --tokens_;
    return succeed();
  }
  return waiters_.wait();
}

void deferred_semaphore::release() {
  if (tokens_ == limit_)
    throw std::logic_error("release() of what nobody holds");
  ++tokens_;
  if (serving_)
    return; // the loop below goes on, so that a long line needs no stack
  serving_ = true;
  while (tokens_ > 0 && !waiters_.empty()) {
    --tokens_;
    waiters_.pop().callback();
  }
  serving_ = false;
}

} // namespace troupe
