#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/send.hpp>

#include <troupe/actors/supervisor.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

namespace troupe::testing {

using crash_atom = caf::atom_constant<caf::atom("crash")>;
using leave_atom = caf::atom_constant<caf::atom("leave")>;

/// What children did and supervisors decided, in order: "+a" began, "-a" ended.
struct story {
  std::vector<std::string> lines;

  /// Returns what was told since the last look, in one line.
  std::string look() {
    std::string all;
    for (const auto& line : lines)
      all += (all.empty() ? "" : " ") + line;
    lines.clear();
    return all;
  }
};

/// A child that does as it is told: it crashes, leaves, or stays until it is told to end.
template <class Base>
class told_child : public Base {
public:
  told_child(caf::actor_config& cfg, story* s, std::string id)
    : Base(cfg), story_(s), id_(std::move(id)) {}
  caf::behavior make_behavior() override {
    story_->lines.push_back("+" + id_);
    return {[](crash_atom) { throw std::runtime_error("crash"); },
            [this](leave_atom) {
              this->quit();
            }};
  }
  void on_exit() override {
    story_->lines.push_back("-" + id_);
    Base::on_exit();
  }

protected:
  story* story_;
  std::string id_;
};

using calm_child = told_child<floating_actor>;
using pinned_child = told_child<pinned_actor>;

/// Takes a while to end.
class slow_child : public calm_child {
public:
  slow_child(caf::actor_config& cfg, story* s, std::string id, duration time)
    : calm_child(cfg, s, std::move(id)) {
    set_exit_handler(
      [this, time](caf::exit_msg& m) { call_later(time, [this, why = m.reason] { quit(why); }); });
  }
};

/// Ends only when it is killed.
class stubborn_child : public calm_child {
public:
  stubborn_child(caf::actor_config& cfg, story* s, std::string id)
    : calm_child(cfg, s, std::move(id)) {
    set_exit_handler([](caf::exit_msg&) {});
  }
};

/// Crashes while it starts, once it has done so without for `lives` times.
template <class Base>
class stillborn_child : public told_child<Base> {
public:
  stillborn_child(caf::actor_config& cfg, story* s, std::string id, int* lives)
    : told_child<Base>(cfg, s, std::move(id)), lives_(lives) {}
  caf::behavior make_behavior() override {
    if (--*lives_ < 0)
      throw std::runtime_error("stillborn");
    return told_child<Base>::make_behavior();
  }

private:
  int* lives_;
};

/// A runtime with one supervisor whose children and decisions are told.
class nursery {
public:
  story told;
  std::vector<supervisor_event> events;
  manual_runtime rt;
  logged_errors errors{rt};

  nursery() = default;
  nursery(const nursery&) = delete;
  nursery& operator=(const nursery&) = delete;
  // Children crash and supervisors give up here as a test says; it looks at their decisions.
  ~nursery() { errors.flush(); }

  child_spec calm(const std::string& id, restart_type restart = restart_type::permanent) {
    return {.id = id, .start = start_actor<calm_child>(&told, id), .restart = restart};
  }

  std::vector<child_spec> calm_ones(const std::vector<std::string>& ids) {
    std::vector<child_spec> all;
    for (const auto& id : ids)
      all.push_back(calm(id));
    return all;
  }

  supervisor& open(supervisor_options options, std::vector<child_spec> children = {}) {
    auto before = std::move(options.observer);
    options.observer = [this, before = std::move(before)](const supervisor_event& e) {
      events.push_back(e);
      if (before)
        before(e);
    };
    handle = rt.spawn_on<supervisor>(0, std::move(options), std::move(children));
    handle->attach_functor([this](const caf::error&) { ended_ = true; });
    rt.settle();
    return get();
  }

  supervisor& get() {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(handle));
  }

  caf::actor child(const std::string& id) {
    for (auto& c : get().which_children())
      if (c.id == id)
        return c.actor;
    return {};
  }

  child_state state(const std::string& id) {
    for (auto& c : get().which_children())
      if (c.id == id)
        return c.state;
    throw std::out_of_range("no child " + id);
  }

  template <class What>
  void tell(const std::string& id, What what) {
    caf::anon_send(child(id), what);
    rt.settle();
  }
  void crash(const std::string& id) { tell(id, crash_atom::value); }
  void leave(const std::string& id) { tell(id, leave_atom::value); }

  void end(const caf::actor& whom, caf::exit_reason why = caf::exit_reason::user_shutdown) {
    caf::anon_send_exit(whom, why);
    rt.settle();
  }

  bool ended() const { return ended_; }

  /// Returns what comes of `d` without the time going on.
  template <class T>
  T wait(deferred<T> d) {
    rt.settle(40);
    return success_result_of(std::move(d));
  }

  /// Returns the events since the last look, such as "child_ended:a".
  std::string decisions() {
    std::string all;
    for (const auto& e : std::exchange(events, {})) {
      all += (all.empty() ? "" : " ") + std::string{name(e.kind)};
      if (!e.child.empty())
        all += ":" + e.child;
    }
    return all;
  }

  caf::actor handle;

private:
  bool ended_ = false;
};

} // namespace troupe::testing
