#include <troupe/runtime/runtime.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include <caf/logger.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/detail/standard_descriptors.hpp>
#include <troupe/testing/leftovers.hpp>

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

namespace {

std::mutex live_mutex;
runtime* live = nullptr; // the first of those that live

// Before anything is opened.
std::unique_ptr<detail::system_config> begin(runtime_options options) {
  detail::check(options);
  detail::open_standard_descriptors();
  return std::make_unique<detail::system_config>(std::move(options));
}

} // namespace

runtime::runtime(runtime_options options)
  : config_(begin(std::move(options))), spawned_(std::make_shared<detail::spawned_actors>()),
    system_(std::make_unique<caf::actor_system>(*config_)) {
  system_->await_actors_before_shutdown(false); // the destructor ends them instead
  scheduler_ = &loop_scheduler::of(*system_);
  reactor_ = std::make_unique<troupe::reactor>(*scheduler_);
  forget_caf_logger();
  const std::lock_guard hold{live_mutex};
  next_ = std::exchange(live, this);
}

runtime::~runtime() {
  {
    const std::lock_guard hold{live_mutex};
    auto** place = &live;
    while (*place != this)
      place = &(*place)->next_;
    *place = next_;
  }
  scheduler_->begin_winding();
  reactor_->blocked_.end();
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

testing::leftovers testing::leftovers::now() {
  leftovers result;
  const std::lock_guard hold{live_mutex};
  for (auto* rt = live; rt != nullptr; rt = rt->next_) {
    ++result.runtimes;
    const std::size_t pinned = rt->scheduler_->pinned_.load();
    result.actors += rt->spawned_->all().size() + pinned
                     - std::min<std::size_t>(pinned, 1); // but the reactor's own
    for (std::size_t i = 0; i < rt->loops(); ++i) {
      auto& loop = rt->scheduler_->loop(i);
      if (!rt->reactor_->running() || loop.is_current()) {
        result.delayed_calls += loop.timers().size();
        continue;
      }
      auto answer = std::make_shared<std::promise<std::size_t>>();
      auto size = answer->get_future();
      loop.post([answer, &loop] { answer->set_value(loop.timers().size()); });
      if (size.wait_for(std::chrono::seconds(10)) == std::future_status::ready)
        result.delayed_calls += size.get();
    }
  }
  return result;
}

void runtime::no_such_loop(const char* where, std::size_t loop) const {
  throw std::out_of_range(std::string{where} + ": there is no loop " + std::to_string(loop)
                          + "; this runtime has " + std::to_string(loops()));
}

void runtime::forget_caf_logger() {
  CAF_SET_LOGGER_SYS(nullptr);
}

} // namespace troupe
