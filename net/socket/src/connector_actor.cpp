#include "connector_actor.hpp"

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>

namespace troupe::detail {

namespace {

/// Waits for the connection, and lets an actor stand for it then. What connects keeps it.
class first_watcher final : public connection_watcher {
public:
  first_watcher(supervisor& parent, const std::shared_ptr<connecting>& of,
                std::function<void(const connector&)> connected)
    : parent_(parent), of_(of), connected_(std::move(connected)), made_([weak = of_] {
        if (const auto still = weak.lock())
          still->abort();
      }) {}

  deferred<caf::actor> start() { return made_.get_deferred(); }

  void connection_opened() override {
    const auto of = of_.lock();
    if (made_.called()) { // the supervisor does not wait any more
      of->watch(nullptr);
      return of->abort();
    }
    caf::actor_config cfg{&parent_.loop()};
    auto actor = caf::actor_cast<caf::actor>(
      parent_.system().spawn_impl<connector_actor, caf::hidden>(cfg, of));
    auto& standing = *static_cast<connector_actor*>(caf::actor_cast<caf::abstract_actor*>(actor));
    standing.enter([&] { standing.begin(); });
    try {
      if (connected_)
        connected_(connector{of});
    } catch (...) { // a start that failed
      const auto why = failure::current();
      standing.enter([&] { standing.quit(caf::exit_reason::kill); });
      return made_.errback(why);
    }
    made_.callback(std::move(actor));
  }

  void connection_over(const failure& why) override {
    if (!made_.called())
      made_.errback(why);
  }

private:
  supervisor& parent_; // waits for this, or has cancelled it
  const std::weak_ptr<connecting> of_;
  const std::function<void(const connector&)> connected_;
  promise<caf::actor> made_;
};

} // namespace

connector_actor::connector_actor(caf::actor_config& cfg, std::shared_ptr<connecting> of)
  : pinned_actor(cfg), of_(std::move(of)) {
  set_exit_handler([this](caf::exit_msg& message) {
    if (message.reason && message.reason != caf::exit_reason::normal)
      stop(message.reason);
  });
}

deferred<caf::actor> connector_actor::start(supervisor& parent, std::shared_ptr<connecting> of,
                                            std::function<void(const connector&)> connected) {
  const auto watcher = std::make_shared<first_watcher>(parent, of, std::move(connected));
  auto result = watcher->start();
  of->watch(watcher);
  of->connect();
  return result;
}

// This actor ends before what it stands for.
void connector_actor::begin() {
  of_->watch(std::shared_ptr<connection_watcher>{std::shared_ptr<void>{}, this});
}

caf::behavior connector_actor::make_behavior() {
  return {[](caf::unit_t) {
  }};
}

void connector_actor::connection_over(const failure& why) {
  enter([&] {
    of_ = nullptr;
    if (told_to_end_)
      quit(*told_to_end_);
    else if (why.check(errc::connection_done))
      quit(caf::exit_reason::normal);
    else if (why.check(errc::runtime_stopped))
      quit(caf::exit_reason::user_shutdown);
    else
      quit(why.to_caf_error());
  });
}

void connector_actor::stop(caf::error reason) {
  if (told_to_end_ || !of_)
    return;
  told_to_end_ = std::move(reason);
  of_->disconnect();
}

void connector_actor::stop_requested() {
  stop(caf::exit_reason::user_shutdown);
}

void connector_actor::on_exit() {
  if (const auto of = std::exchange(of_, nullptr)) { // it was killed
    of->watch(nullptr);
    of->abort();
  }
  pinned_actor::on_exit();
}

} // namespace troupe::detail
