#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "support/supervised.hpp"

namespace troupe::testing {

/// A supervisor with some children under the root; its decisions are events.
class under_root {
public:
  under_root(running& server, events& log, std::vector<child_spec> children,
             supervisor_options options = {.intensity = 100,
                                           .backoff = {.initial = std::chrono::milliseconds(20)}}) {
    options.name = "net";
    options.observer = [&log](const supervisor_event& e) {
      log.add(std::string{name(e.kind)} + ":" + e.child);
    };
    root_supervisor(server.rt)
      ->start_child(supervisor::as_child(options, std::move(children), restart_type::temporary))
      .add_both([this, &log](outcome<caf::actor> a) {
        if (a)
          actor_ = *a;
        log.add(a ? "up" : "down: " + a.error().message());
      });
  }

  supervisor& get() const {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(actor_));
  }

  caf::actor child(running& server, const std::string& id) const {
    return on_loop(server, [&] {
      for (const auto& c : get().which_children())
        if (c.id == id)
          return c.actor;
      return caf::actor{};
    });
  }

private:
  caf::actor actor_;
};

inline void terminate(running& server, const under_root& sup, const std::string& id) {
  on_loop(server, [&] { return deferred<void>(sup.get().terminate_child(id)); });
}

inline void restart(running& server, const under_root& sup, const std::string& id) {
  on_loop(server, [&] { return deferred<caf::actor>(sup.get().restart_child(id)); });
}

} // namespace troupe::testing
