#include "sharded_core.hpp"

#include <algorithm>
#include <stdexcept>

#include <caf/mailbox_element.hpp>
#include <caf/send.hpp>

#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "placement.hpp"

namespace troupe {

namespace detail {

namespace {

constexpr std::size_t longest_key = 200;
constexpr std::size_t longest_kind = 100;

/// What a drain waits for.
class drain_guard final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

const sharded_options& checked(const sharded_options& options) {
  check(options);
  return options;
}

} // namespace

void check(const sharded_options& options) {
  const auto refuse = [](const char* why) {
    throw std::invalid_argument(std::string{"sharded_options: "} + why);
  };
  if (options.name.empty() || options.name.size() > longest_kind)
    refuse("name has 1 to 100 bytes");
  if (options.shards == 0 || options.shards > 4096)
    refuse("shards is 1 to 4,096");
  if (options.max_held == 0)
    refuse("max_held must not be zero");
  if (options.idle_after < duration::zero())
    refuse("idle_after must not be negative");
  if (options.hold_for <= duration::zero() || options.hand_over_within <= duration::zero())
    refuse("hold_for and hand_over_within must be positive");
}

void respond_to(const caf::strong_actor_ptr& asker, caf::message_id id, caf::message content) {
  if (asker)
    asker->enqueue(caf::make_mailbox_element(nullptr, id, {}, std::move(content)), nullptr);
}

void respond_to(const caf::strong_actor_ptr& asker, caf::message_id id, const failure& why) {
  respond_to(asker, id, caf::make_message(why.to_caf_error()));
}

sharded_core::sharded_core(cluster& of, sharded_options options, sharded_base::maker make)
  : cluster_(of), rt_(of.home()), options_(checked(options)), make_(std::move(make)),
    us_(of.name()), host_name_("sharded/" + options_.name), reach_name_(host_name_ + "/*") {
  for (std::uint32_t i = 0; i < options_.shards; ++i)
    shards_.push_back(shard{i});
}

sharded_core::~sharded_core() = default;

void sharded_core::start() {
  region_actor_ = rt_.spawn_on<shard_region>(0, weak_from_this());
  region_ = static_cast<shard_region*>(caf::actor_cast<caf::abstract_actor*>(region_actor_));
  guard_ = rt_.spawn_on<drain_guard>(0);
  auto& guard = *static_cast<drain_guard*>(caf::actor_cast<caf::abstract_actor*>(guard_));
  const auto weak = weak_from_this();
  cluster_.on_drain(guard, [weak] {
    if (const auto self = weak.lock())
      self->on_loop_0([](sharded_core& core) { core.drains(); });
  });
  cluster_.observe_name(*region_, host_name_, [weak](const std::vector<std::string>& nodes) {
    if (const auto self = weak.lock())
      self->hosts_are(nodes);
  });
  cluster_.observe_name(*region_, reach_name_, [weak](const std::vector<std::string>& nodes) {
    if (const auto self = weak.lock())
      self->reachable_are(nodes);
  });
  cluster_.observe(*region_, [weak, us = us_](const node_event& what) {
    if (const auto self = weak.lock(); self && what.node == us && what.kind == node_event::rejoined)
      self->was_out();
  });
  if (!cluster_.serve(reach_name_, region_actor_, while_draining::kept))
    throw std::invalid_argument("sharded: this node has one named '" + options_.name + "' already");
  if (options_.hosts)
    cluster_.serve(host_name_, region_actor_);
}

void sharded_core::end() {
  caf::anon_send_exit(std::exchange(guard_, {}), caf::exit_reason::kill);
  const auto region = std::exchange(region_actor_, {});
  {
    const lock guard{mutex_};
    ended_ = true;
    for (auto& s : shards_) {
      s.held_lease.abandon(); // nobody knows when they will have ended
      for (auto& [key, one] : s.seats)
        if (one.who)
          caf::anon_send_exit(caf::actor_cast<caf::actor>(one.who), caf::exit_reason::kill);
    }
  }
  if (region_ != nullptr)
    region_->quit(caf::exit_reason::kill);
}

// -- any thread ---------------------------------------------------------------------------------

time_point sharded_core::time() const noexcept {
  return rt_.scheduler().loop(0).time();
}

std::uint32_t sharded_core::number_of(std::string_view key) const noexcept {
  return shard_of(key, options_.shards);
}

sharded_counters sharded_core::counters() const {
  const lock guard{mutex_};
  return count_;
}

std::string sharded_core::where(std::string_view key) const {
  const lock guard{mutex_};
  return shards_[number_of(key)].owner;
}

bool sharded_core::runs_here(std::string_view key) const {
  const lock guard{mutex_};
  const auto& s = shards_[number_of(key)];
  const auto found = s.seats.find(key);
  return found != s.seats.end() && found->second.at == seat::phase::running;
}

failure sharded_core::check_letter(const std::string& key, const caf::message& content) const {
  if (key.empty() || key.size() > longest_key)
    return {errc::invalid_argument,
            "the key of an entity has 1 to 200 bytes, not " + std::to_string(key.size())};
  return may_travel(rt_.system(), content);
}

cluster_actor sharded_core::region_of(const std::string& node) const {
  return cluster_.actor(reach_name_, node);
}

caf::message sharded_core::envelope(const letter& what, duration timeout, std::string bytes) const {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return caf::make_message(caf::atom("route"), options_.shards, what.hops,
                           static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, UINT32_MAX)),
                           what.origin, what.part.incarnation, what.part.number, what.key,
                           std::move(bytes));
}

stretch sharded_core::part_of(const shard& s) const noexcept {
  return {cluster_.incarnation(), s.stretch_number};
}

// Returns the entity to which a message of this node may go in place.
seat* sharded_core::running(shard& s, const std::string& key) const {
  if (s.at != shard::phase::here || s.barred())
    return nullptr;
  const auto found = s.seats.find(key);
  return found != s.seats.end() && found->second.at == seat::phase::running ? &found->second
                                                                            : nullptr;
}

// Tells whether a message of this node may go to the owner at once.
bool sharded_core::goes_on(const shard& s) const noexcept {
  return s.at == shard::phase::elsewhere && !s.owner.empty() && s.owner != us_ && !s.barred()
         && s.held.empty() && s.behind.empty();
}

failure sharded_core::room_for_one(const std::string& key) const {
  if (ended_ || out_)
    return {errc::not_connected, "node " + us_ + " has left, and has no '" + options_.name + "'"};
  if (count_.held >= options_.max_held)
    return {errc::queue_overflow, std::to_string(options_.max_held)
                                    + " messages (sharded_options::max_held) wait for entities of '"
                                    + options_.name + "', and one for '" + escape_text(key, 64)
                                    + "' is too many"};
  return {};
}

void sharded_core::hold(shard& s, letter what, bool ours) {
  ++count_.held;
  what.origin = us_;
  what.part = part_of(s);
  if (ours && s.barred())
    s.behind.push_back(std::move(what));
  else if (s.at == shard::phase::here) {
    auto& to = s.seats[what.key];
    ++s.held_in_seats;
    auto key = what.key;
    to.held.push_back(std::move(what));
    if (to.at == seat::phase::waiting && !to.starting)
      want_start(s, key);
  } else
    s.held.push_back(std::move(what));
  want(s);
}

void sharded_core::want(shard& s) {
  if (std::exchange(s.wanted, true))
    return;
  on_loop_0([number = s.number](sharded_core& core) {
    {
      const lock guard{core.mutex_};
      auto& that = core.shards_[number];
      that.wanted = false;
      core.busy();
      core.look_at(that);
      core.settle(that);
    }
    core.start_entities();
  });
}

failure sharded_core::send(const std::string& key, const caf::message& content) {
  if (auto why = check_letter(key, content))
    return why;
  std::string bytes;
  for (;;) {
    lock guard{mutex_};
    if (ended_ || out_)
      return room_for_one(key);
    auto& s = shard_at(key);
    if (const auto* to = running(s, key)) {
      to->who->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, content),
                       nullptr);
      return {};
    }
    if (goes_on(s)) {
      if (bytes.empty()) { // that is the user's code
        guard.unlock();
        if (auto why = write_message(bytes, rt_.system(), content))
          return why;
        continue;
      }
      s.went_to = s.owner;
      const auto part = part_of(s);
      return region_of(s.owner).send(caf::atom("route"), options_.shards, std::uint32_t{0},
                                     std::uint32_t{0}, us_, part.incarnation, part.number, key,
                                     std::move(bytes));
    }
    if (auto why = room_for_one(key))
      return why;
    const auto until = time() + options_.hold_for;
    hold(s, {.key = key, .content = content, .until = until, .answer_by = until}, true);
    return {};
  }
}

void sharded_core::ask(basic_actor& self, const std::string& key, duration timeout,
                       caf::message content, const std::shared_ptr<question_base>& asked) {
  if (timeout == duration::max())
    return asked->fail({errc::invalid_argument,
                        "a question to an entity needs a time-out: what is lost on the way is "
                        "missed by nobody else"});
  if (const auto why = check_letter(key, content))
    return asked->fail(why);
  std::string bytes;
  for (;;) {
    lock guard{mutex_};
    if (ended_ || out_)
      return asked->fail(room_for_one(key));
    auto& s = shard_at(key);
    if (const auto* to = running(s, key)) {
      asked->watch(self, to->who);
      return self.send_request(to->who, timeout, std::move(content), asked);
    }
    if (goes_on(s)) {
      if (bytes.empty()) {
        guard.unlock();
        if (const auto why = write_message(bytes, rt_.system(), content))
          return asked->fail(why);
        continue;
      }
      s.went_to = s.owner;
      return ask_over_nodes(self, region_of(s.owner), timeout,
                            envelope({.key = key, .content = {}, .origin = us_, .part = part_of(s)},
                                     timeout, std::move(bytes)),
                            asked);
    }
    if (const auto why = room_for_one(key))
      return asked->fail(why);
    const auto id = self.expect_response(asked).response_id();
    self.clock().set_request_timeout(saturating_add(self.clock().now(), timeout), &self, id);
    const auto now = time();
    hold(s,
         {.key = key,
          .content = std::move(content),
          .asker = caf::strong_actor_ptr{self.ctrl()},
          .id = id,
          .until = now + std::min(timeout, options_.hold_for),
          .answer_by = saturating_add(now, timeout)},
         true);
    return;
  }
}

// -- what a user has ------------------------------------------------------------------------------

sharded_base::sharded_base(cluster& of, sharded_options options, maker make)
  : core_(std::make_shared<sharded_core>(of, std::move(options), std::move(make))) {
  try {
    core_->start();
  } catch (...) {
    core_->end();
    throw;
  }
}

sharded_base::~sharded_base() {
  core_->end();
}

entity_ref sharded_base::get(std::string key) const {
  return {core_, std::move(key)};
}

std::string sharded_base::where(std::string_view key) const {
  return core_->where(key);
}

bool sharded_base::runs_here(std::string_view key) const {
  return core_->runs_here(key);
}

sharded_counters sharded_base::counters() const {
  return core_->counters();
}

const sharded_options& sharded_base::options() const noexcept {
  return core_->options();
}

} // namespace detail

failure entity_ref::send_message(const caf::message& content) const {
  if (const auto core = core_.lock())
    return core->send(key_, content);
  return {errc::not_connected, "the sharded has ended"};
}

void ask_entity(basic_actor& self, const entity_ref& whom, duration timeout, caf::message content,
                const std::shared_ptr<detail::question_base>& asked) {
  if (const auto core = whom.core_.lock())
    return core->ask(self, whom.key_, timeout, std::move(content), asked);
  asked->fail({errc::not_connected, "the sharded has ended"});
}

} // namespace troupe
