#include <troupe/actors/service_child.hpp>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>

#include <troupe/actors/supervisor.hpp>

namespace troupe {

namespace {

/// The actor that stands for a running service.
class service_actor final : public pinned_actor {
public:
  service_actor(caf::actor_config& cfg, std::shared_ptr<service> s)
    : pinned_actor(cfg), service_(std::move(s)) {
    set_exit_handler([this](caf::exit_msg& message) {
      if (message.reason && message.reason != caf::exit_reason::normal)
        stop(message.reason);
    });
  }

  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }

  void on_exit() override {
    if (const auto s = std::exchange(service_, nullptr))
      static_cast<void>(maybe_deferred([&] { return s->stop_service(); })); // it was killed
    pinned_actor::on_exit();
  }

  const char* name() const override { return "service"; }

protected:
  void stop_requested() override { stop(caf::exit_reason::user_shutdown); }

private:
  void stop(caf::error reason) {
    const auto s = std::exchange(service_, nullptr);
    if (!s)
      return; // it stops already
    maybe_deferred([&] {
      return s->stop_service();
    }).add_both([weak = caf::weak_actor_ptr{ctrl()}, s, reason](outcome<void> how) {
      if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(weak)) {
        auto& self = *static_cast<service_actor*>(caf::actor_cast<caf::abstract_actor*>(alive));
        self.enter([&] { self.quit(how ? reason : how.error().to_caf_error()); });
      }
    });
  }

  std::shared_ptr<service> service_; // until it is told to stop
};

} // namespace

child_spec service_child(std::string id, std::function<std::shared_ptr<service>()> make,
                         restart_type restart) {
  auto start = [make = std::move(make)](supervisor& parent) -> deferred<caf::actor> {
    auto s = make();
    s->privileged_start_service();
    auto started = s->start_service();
    return std::move(started).add_callbacks(
      [&parent, s] {
        caf::actor_config cfg{&parent.loop()};
        return caf::actor_cast<caf::actor>(
          parent.system().spawn_impl<service_actor, caf::hidden>(cfg, s));
      },
      [s](const failure& why) -> outcome<caf::actor> { // it may have started half
        static_cast<void>(maybe_deferred([&] { return s->stop_service(); }));
        return why;
      });
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

} // namespace troupe
