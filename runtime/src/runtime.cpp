#include <troupe/runtime/runtime.hpp>

#include <mutex>
#include <unordered_map>

#include <caf/logger.hpp>
#include <caf/send.hpp>

#include "system_config.hpp"

namespace troupe {

namespace detail {

/// The actors that were started through the runtime and have not ended. It outlives the runtime
/// in the hands of actors that end late.
class spawned_actors {
public:
  void add(caf::actor_id id, caf::actor_addr address) {
    const std::lock_guard hold{mutex_};
    actors_.emplace(id, std::move(address));
  }

  void remove(caf::actor_id id) {
    const std::lock_guard hold{mutex_};
    actors_.erase(id);
  }

  std::vector<caf::strong_actor_ptr> all() {
    const std::lock_guard hold{mutex_};
    std::vector<caf::strong_actor_ptr> result;
    for (const auto& [id, address] : actors_)
      if (auto actor = caf::actor_cast<caf::strong_actor_ptr>(address))
        result.push_back(std::move(actor));
    return result;
  }

private:
  std::mutex mutex_;
  std::unordered_map<caf::actor_id, caf::actor_addr> actors_; // an address keeps nothing alive
};

} // namespace detail

runtime::runtime(runtime_options options)
  : config_(std::make_unique<detail::system_config>(std::move(options))),
    spawned_(std::make_shared<detail::spawned_actors>()),
    system_(std::make_unique<caf::actor_system>(*config_)) {
  system_->await_actors_before_shutdown(false); // the destructor ends them instead
  scheduler_ = &loop_scheduler::of(*system_);
  reactor_ = std::make_unique<troupe::reactor>(*scheduler_);
  forget_caf_logger();
}

runtime::~runtime() {
  scheduler_->wind_down();
  // With high priority, so that it overtakes whatever waits in a mailbox.
  for (const auto& actor : spawned_->all())
    actor->enqueue(nullptr, caf::make_message_id(caf::message_priority::high),
                   caf::make_message(caf::exit_msg{caf::actor_addr{}, caf::exit_reason::kill}),
                   nullptr);
  forget_caf_logger();
  system_.reset();
}

void runtime::remember(const caf::strong_actor_ptr& actor) {
  if (!actor)
    return;
  spawned_->add(actor->id(), caf::actor_cast<caf::actor_addr>(actor));
  actor->get()->attach_functor(
    [spawned = spawned_, id = actor->id()](const caf::error&) { spawned->remove(id); });
}

void runtime::forget_caf_logger() {
  CAF_SET_LOGGER_SYS(nullptr);
}

} // namespace troupe
