#include <troupe/actors/topic_child.hpp>

#include <memory>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>

#include <troupe/actors/supervisor.hpp>

namespace troupe {

namespace {

/// Keeps a topic. After a crash the next one finds it in the start function.
class topic_keeper final : public pinned_actor {
public:
  topic_keeper(caf::actor_config& cfg, std::shared_ptr<topic> kept)
    : pinned_actor(cfg), kept_(std::move(kept)) {}

  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }

  void on_exit() override {
    if (!fail_state_ || fail_state_ == caf::exit_reason::normal
        || fail_state_ == caf::exit_reason::user_shutdown)
      *kept_ = {};
    kept_ = nullptr;
    pinned_actor::on_exit();
  }

  const char* name() const override { return "topic"; }

private:
  std::shared_ptr<topic> kept_; // shared with the start function
};

} // namespace

child_spec topic_child(std::string id, topics among, std::string name, restart_type restart) {
  auto start = [among = std::move(among), name = std::move(name),
                kept = std::make_shared<topic>()](supervisor& parent) {
    if (!*kept)
      *kept = among.get(name);
    caf::actor_config cfg{&parent.loop()};
    const auto made = parent.system().spawn_impl<topic_keeper, caf::hidden>(cfg, kept);
    static_cast<topic_keeper*>(caf::actor_cast<caf::abstract_actor*>(made))->enter([] {});
    return caf::actor_cast<caf::actor>(made);
  };
  return {.id = std::move(id), .start = std::move(start), .restart = restart};
}

} // namespace troupe
