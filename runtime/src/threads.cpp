#include <troupe/runtime/threads.hpp>

namespace troupe {

void call_multiple_in_thread(reactor& r, std::vector<task> fns) {
  r.call_in_thread([fns = std::move(fns)]() mutable {
    for (auto& fn : fns)
      fn();
  });
}

void detail::refuse_to_block() {
  throw std::logic_error("blocking_call_from_thread: called on a loop's thread, which would wait "
                         "for itself for ever");
}

} // namespace troupe
