#pragma once

#include <chrono>

#include <caf/atom.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/logger.hpp>
#include <caf/scoped_actor.hpp>

#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"

namespace troupe::testing {

using work_atom = caf::atom_constant<caf::atom("work")>;

inline caf::behavior adder(caf::event_based_actor*) {
  return {[](int x) {
    return x + 1;
  }};
}

/// Asks `to` from a plain thread, and returns the answer.
inline int ask_from_thread(runtime& rt, const caf::actor& to, int x) {
  int result = 0;
  {
    caf::scoped_actor self{rt.system()};
    self->request(to, std::chrono::seconds(10), x)
      .receive([&](int y) { result = y; }, [&](caf::error& e) { FAIL(rt.system().render(e)); });
  }
  CAF_SET_LOGGER_SYS(nullptr); // CAF leaves it in the thread, and the system's end waits for it
  return result;
}

} // namespace troupe::testing
