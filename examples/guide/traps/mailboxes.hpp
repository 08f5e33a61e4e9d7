#pragma once

#include <algorithm>
#include <cstdio>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_semaphore.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/react.hpp>

using job_atom = caf::atom_constant<caf::atom("job")>;

/// How many messages were sent, handled, and waited at most.
struct load {
  void sent() { most = std::max(most, ++waiting); }
  int waiting = 0;
  int most = 0;
};

class worker : public troupe::floating_actor {
public:
  worker(caf::actor_config& cfg, load* seen) : floating_actor(cfg), seen_(seen) {}
  caf::behavior make_behavior() override {
    return troupe::handlers(*this, [this](job_atom, int) { --seen_->waiting; });
  }

private:
  load* seen_;
};

// [wrong]
inline troupe::deferred<void> send_all(troupe::runtime& rt, caf::actor worker, load* seen) {
  for (int job = 0; job < 10'000; ++job) {
    seen->sent();
    caf::anon_send(worker, job_atom::value, job);
  }
  co_await troupe::ask<void>(rt, worker, troupe::wait_for_ever, job_atom::value, 10'000);
}
// [/wrong]

// [right]
inline troupe::deferred<void> send_some(troupe::runtime& rt, caf::actor worker, load* seen) {
  troupe::deferred_semaphore slots{10}; // so many may be under way
  for (int job = 0; job < 10'000; ++job) {
    co_await slots.acquire();
    seen->sent();
    troupe::ask<void>(rt, worker, troupe::wait_for_ever, job_atom::value, job).add_both([&slots] {
      slots.release();
    });
  }
  for (int all = 0; all < 10; ++all) // until the last ones are done
    co_await slots.acquire();
}
// [/right]

inline int run_jobs(troupe::deferred<void> (*send)(troupe::runtime&, caf::actor, load*)) {
  load seen;
  troupe::runtime rt{{.loops = 1}};
  const int status =
    troupe::react(rt, [&](troupe::runtime& r) { return send(r, r.spawn<worker>(&seen), &seen); });
  std::printf("at most %d messages waited\n", seen.most);
  return status;
}
