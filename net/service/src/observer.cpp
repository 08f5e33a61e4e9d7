#include <troupe/net/observer.hpp>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <spdlog/logger.h>

#include <troupe/net/protocol.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/metrics.hpp>

namespace troupe {

struct observer::state {
  runtime& rt;
  const duration patience;
  const std::size_t most;
  std::mutex mutex;
  std::vector<std::pair<std::string, troupe::topics>> directories; // by the mutex
};

namespace {

/// The loop on which a question is asked, and which gets the answer.
event_loop& asking_loop(runtime& rt) {
  auto* const current = event_loop::current();
  if (current != nullptr && &current->scheduler() == &rt.scheduler())
    return *current;
  auto& first = rt.scheduler().loop(0);
  first.expect_here("observer", "ask in a turn of a loop");
  return first;
}

/// What one loop adds to an answer.
template <class T>
struct part {
  std::size_t most;
  std::vector<T> all{};
  std::size_t omitted = 0;

  template <class F>
  void add(F make) {
    if (all.size() < most)
      all.push_back(make());
    else
      ++omitted;
  }
};

/// A question to all loops. Only the loop that asks has hold of it: others know it weakly, and never look.
template <class T>
struct question {
  promise<observed<T>> answer;
  std::vector<part<T>> parts;
  std::vector<bool> answered;
  std::size_t missing;
  delayed_call patience; // it holds this

  explicit question(std::size_t loops)
    : parts(loops, part<T>{0}), answered(loops), missing(loops) {}
  ~question() { answer.abandon(); }

  void take(std::size_t loop, part<T> of) {
    parts[loop] = std::move(of);
    answered[loop] = true;
    --missing;
  }

  void finish() {
    observed<T> all;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      std::move(parts[i].all.begin(), parts[i].all.end(), std::back_inserter(all.all));
      all.omitted += parts[i].omitted;
      if (!answered[i])
        all.silent.push_back(i);
    }
    answer.callback(std::move(all));
  }
};

/// Lets each loop look at itself: `look(loop, part)` adds to the part of the answer.
template <class T, class Look>
deferred<observed<T>> ask_loops(runtime& rt, duration patience, std::size_t most, Look look) {
  auto& home = asking_loop(rt);
  auto& scheduler = rt.scheduler();
  const auto q = std::make_shared<question<T>>(scheduler.size());
  auto result = q->answer.get_deferred();
  q->patience = home.timers().add(saturating_add(home.time(), patience), [q] { q->finish(); });
  for (std::size_t i = 0; i < scheduler.size(); ++i) {
    auto& loop = scheduler.loop(i);
    loop.post([&home, &loop, i, most, look, asked = std::weak_ptr{q}] {
      auto own = std::make_shared<part<T>>(part<T>{most});
      look(loop, *own);
      home.post([i, own, asked] {
        const auto still = asked.lock();
        if (!still || still->answer.called())
          return;
        still->take(i, std::move(*own));
        if (still->missing > 0)
          return;
        still->patience.cancel();
        still->finish();
      });
    });
  }
  return result;
}

/// Finds the actor of class `A` with this id, wherever it runs, and calls `fn` with it, as that actor.
template <class A, class F>
deferred<bool> with_actor(runtime& rt, duration patience, caf::actor_id id, F fn) {
  return ask_loops<bool>(rt, patience, 1,
                         [id, fn](event_loop& loop, part<bool>& found) {
                           caf::strong_actor_ptr alive;
                           A* actor = nullptr;
                           loop.each_pinned([&](pinned_actor& one) {
                             if (one.id() != id || actor != nullptr)
                               return;
                             actor = dynamic_cast<A*>(&one);
                             if (actor != nullptr)
                               alive = one.ctrl();
                           });
                           if (actor == nullptr)
                             return;
                           bool done = false;
                           actor->enter([&] { done = fn(*actor); });
                           if (done)
                             found.add([] { return true; });
                         })
    .add_callback([](const observed<bool>& got) { return !got.all.empty(); });
}

caf::actor_id id_of(const caf::actor& who) {
  return who ? who.id() : caf::actor_id{0};
}

/// The restarts that supervisors have counted, by the labels of the counter as they are written.
using counted_restarts = std::unordered_map<std::string, std::uint64_t>;

counted_restarts count_restarts(const metrics& of) {
  constexpr std::string_view name = "troupe_supervisor_restarts_total{";
  counted_restarts all;
  const auto text = of.text();
  for (std::string_view rest = text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto end = line.rfind("} ");
    if (line.starts_with(name) && end != std::string_view::npos)
      all.emplace(line.substr(name.size(), end - name.size()),
                  std::strtoull(line.data() + end + 2, nullptr, 10));
  }
  return all;
}

std::string label(std::string_view name, std::string_view value) {
  std::string text{name};
  text += "=\"";
  for (const char c : value)
    if (c == '\n')
      text += "\\n";
    else if (c == '\\' || c == '"')
      (text += '\\') += c;
    else
      text += c;
  return text += '"';
}

/// Enters how often each child was started again; a dynamic supervisor counts for all of its together.
void add_restarts(observed_child& of, const counted_restarts& counted) {
  const auto supervisor = label("supervisor", of.id);
  const auto find = [&](const std::string& labels) {
    const auto found = counted.find(labels);
    return found == counted.end() ? 0 : found->second;
  };
  if (of.strategy == restart_strategy::dynamic)
    of.restarts += find(supervisor);
  for (auto& child : of.children) {
    child.restarts += find(label("child", child.id) + ',' + supervisor);
    if (child.strategy)
      add_restarts(child, counted);
  }
}

/// One supervisor as its loop sees it.
struct seen_supervisor {
  caf::actor_id id;
  observed_child self;
  std::unordered_set<caf::actor_id>
    below{}; // of the first: all that are children of one on its loop
};

// Puts supervisors that are children where they are children.
void hang(observed_child& below, std::unordered_map<caf::actor_id, observed_child>& all) {
  for (auto& child : below.children)
    if (const auto found = all.find(child.actor); child.actor != 0 && found != all.end()) {
      child.strategy = found->second.strategy;
      child.children = std::move(found->second.children);
      all.erase(found);
      hang(child, all);
    }
}

observed<observed_child> tree_of(observed<seen_supervisor> got) {
  std::unordered_set<caf::actor_id> children;
  for (const auto& s : got.all)
    for (const auto& child : s.self.children)
      children.insert(child.actor);
  for (const auto& s : got.all)
    children.insert(s.below.begin(), s.below.end());
  std::unordered_map<caf::actor_id, observed_child> all;
  std::vector<caf::actor_id> roots;
  for (auto& s : got.all) {
    if (!children.contains(s.id))
      roots.push_back(s.id);
    all.emplace(s.id, std::move(s.self));
  }
  observed<observed_child> tree{{}, std::move(got.silent), got.omitted};
  for (const auto id : roots) {
    auto& root = all.at(id);
    hang(root, all);
    tree.all.push_back(std::move(root));
  }
  return tree;
}

} // namespace

observer::observer(runtime& rt, duration patience, std::size_t most)
  : state_(std::shared_ptr<state>(new state{rt, patience, most, {}, {}})) {}

runtime& observer::of() const noexcept {
  return state_->rt;
}

deferred<observed<observed_loop>> observer::loops() const {
  return ask_loops<observed_loop>(
    state_->rt, state_->patience, 1, [](event_loop& loop, part<observed_loop>& own) {
      own.add([&] { return observed_loop{loop.index(), loop.counters(), loop.timers().size()}; });
    });
}

deferred<observed<observed_actor>> observer::actors() const {
  return ask_loops<observed_actor>(state_->rt, state_->patience, state_->most,
                                   [](event_loop& loop, part<observed_actor>& own) {
                                     loop.each_pinned([&](pinned_actor& one) {
                                       own.add([&] {
                                         return observed_actor{one.id(),
                                                               loop.index(),
                                                               one.describe().kind,
                                                               one.log_name(),
                                                               one.get_delayed_calls().size(),
                                                               mailbox_length(one)};
                                       });
                                     });
                                   });
}

deferred<observed<observed_connection>> observer::connections() const {
  return ask_loops<observed_connection>(state_->rt, state_->patience, state_->most,
                                        [](event_loop& loop, part<observed_connection>& own) {
                                          loop.each_pinned([&](pinned_actor& one) {
                                            const auto* const p = dynamic_cast<protocol*>(&one);
                                            if (p == nullptr || !p->connected())
                                              return;
                                            own.add([&] {
                                              auto& t = p->transport();
                                              return observed_connection{p->id(),
                                                                         loop.index(),
                                                                         p->log_prefix(),
                                                                         t.get_peer(),
                                                                         t.get_host(),
                                                                         t.bytes_received(),
                                                                         t.bytes_written(),
                                                                         t.unsent(),
                                                                         t.refused_writes(),
                                                                         t.tls() != nullptr,
                                                                         id_of(p->factory())};
                                            });
                                          });
                                        });
}

deferred<observed<observed_factory>> observer::factories() const {
  return ask_loops<observed_factory>(
    state_->rt, state_->patience, state_->most, [](event_loop& loop, part<observed_factory>& own) {
      loop.each_pinned([&](pinned_actor& one) {
        const auto* const f = dynamic_cast<factory*>(&one);
        if (f != nullptr)
          own.add([&] {
            return observed_factory{f->id(), loop.index(), f->log_prefix(), f->connections(),
                                    f->max_connections()};
          });
      });
    });
}

deferred<observed<observed_timer>> observer::timers() const {
  return ask_loops<observed_timer>(
    state_->rt, state_->patience, state_->most, [](event_loop& loop, part<observed_timer>& own) {
      struct pending {
        time_point due;
        delayed_call call;
        pinned_actor* owner;
        bool operator<(const pending& other) const { return due < other.due; }
      };
      std::vector<pending> all;
      for (const auto& call : loop.timers().pending())
        all.push_back({call.get_time(), call, nullptr});
      std::sort(all.begin(), all.end());
      loop.each_pinned([&](pinned_actor& one) {
        for (const auto& call : one.get_delayed_calls()) {
          const auto [from, to] =
            std::equal_range(all.begin(), all.end(), pending{call.get_time(), call, nullptr});
          for (auto at = from; at != to; ++at)
            if (at->call == call)
              at->owner = &one;
        }
      });
      const auto now = loop.time();
      for (const auto& p : all)
        own.add([&] {
          return observed_timer{loop.index(), p.due - now, p.owner != nullptr ? p.owner->id() : 0,
                                p.owner != nullptr ? p.owner->log_name() : std::string{}};
        });
    });
}

deferred<observed<observed_child>> observer::supervisors() const {
  return ask_loops<seen_supervisor>(
           state_->rt, state_->patience, state_->most,
           [](event_loop& loop, part<seen_supervisor>& own) {
             struct found {
               caf::actor_id id;
               const supervisor_options* options;
               std::vector<child_info> children;
             };
             std::vector<found> all;
             std::unordered_set<caf::actor_id> below; // supervisors that are children
             loop.each_pinned([&](pinned_actor& one) {
               if (const auto* const s = dynamic_cast<supervisor*>(&one))
                 all.push_back({s->id(), &s->options(), s->which_children()});
             });
             for (const auto& s : all)
               for (const auto& c : s.children)
                 if (c.type == child_type::supervisor && c.actor)
                   below.insert(c.actor.id());
             // Where not all are listed, the trees begin at their roots.
             std::stable_partition(all.begin(), all.end(),
                                   [&](const found& s) { return !below.contains(s.id); });
             std::size_t listed = 0; // children
             for (const auto& s : all) {
               if (own.all.size() >= own.most) {
                 ++own.omitted;
                 continue;
               }
               observed_child self{.id = s.options->name,
                                   .actor = s.id,
                                   .type = child_type::supervisor,
                                   .strategy = s.options->strategy};
               for (const auto& c : s.children) {
                 if (listed >= own.most) {
                   ++own.omitted;
                   continue;
                 }
                 ++listed;
                 self.children.push_back({.id = c.id,
                                          .actor = id_of(c.actor),
                                          .state = c.state,
                                          .type = c.type,
                                          .restart = c.restart});
               }
               own.all.push_back({s.id, std::move(self)});
             }
             if (!own.all.empty())
               own.all.front().below = std::move(below);
           })
    .add_callback([rt = &state_->rt](observed<seen_supervisor> got) {
      auto tree = tree_of(std::move(got));
      const auto counted = count_restarts(rt->metrics());
      if (!counted.empty())
        for (auto& root : tree.all)
          add_restarts(root, counted);
      return tree;
    });
}

std::vector<observed_topic> observer::topics() const {
  const std::lock_guard lock{state_->mutex};
  std::vector<observed_topic> all;
  for (const auto& [directory, of] : state_->directories) {
    auto names = of.names();
    std::sort(names.begin(), names.end());
    for (auto& name : names)
      if (const auto t = of.find(name))
        all.push_back({directory, std::move(name), t.subscribers()});
  }
  return all;
}

void observer::add_topics(std::string name, troupe::topics directory) const {
  const std::lock_guard lock{state_->mutex};
  state_->directories.emplace_back(std::move(name), std::move(directory));
}

std::size_t observer::running_actors() const {
  return state_->rt.system().registry().running();
}

deferred<bool> observer::close_connection(caf::actor_id id, bool abort) const {
  return with_actor<protocol>(state_->rt, state_->patience, id, [abort](protocol& p) {
    if (!p.connected())
      return false;
    if (abort) {
      p.transport().abort_connection();
    } else {
      p.transport().unregister_producer(); // it would be waited for
      p.transport().lose_connection();
    }
    return true;
  });
}

deferred<bool> observer::set_max_connections(caf::actor_id id, std::size_t count) const {
  return with_actor<factory>(state_->rt, state_->patience, id, [count](factory& f) {
    f.set_max_connections(count);
    return true;
  });
}

bool observer::set_log_level(const std::string& level) const {
  const auto found = spdlog::level::from_str(level); // "off" for what it does not know
  if (found == spdlog::level::off && level != "off")
    return false;
  state_->rt.logger().set_level(found);
  return true;
}

std::string observer::log_level() const {
  const auto name = spdlog::level::to_string_view(state_->rt.logger().level());
  return {name.data(), name.size()};
}

} // namespace troupe
