#include <troupe/runtime/deferred_semaphore.hpp>

#include <stdexcept>

namespace troupe {

deferred<void> detail::semaphore_state::acquire() {
  if (tokens > 0 && line.empty()) {
    --tokens;
    return succeed();
  }
  return line.wait();
}

void detail::semaphore_state::release() {
  if (tokens == limit)
    throw std::logic_error("release() of what nobody holds");
  ++tokens;
  if (serving)
    return; // the loop below goes on, so that a long line needs no stack
  const auto alive = shared_from_this();
  serving = true;
  while (tokens > 0) {
    auto next = line.next();
    if (!next)
      break;
    --tokens;
    next->callback();
  }
  serving = false;
}

deferred_semaphore::deferred_semaphore(std::size_t tokens)
  : state_(std::make_shared<detail::semaphore_state>(tokens)) {
  if (tokens == 0)
    throw std::logic_error("a semaphore without tokens");
}

deferred_semaphore::~deferred_semaphore() {
  while (!state_->line.empty())
    [[maybe_unused]] const auto gone = state_->line.pop(); // what this calls may cancel others
}

} // namespace troupe
