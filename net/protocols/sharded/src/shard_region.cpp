#include <algorithm>
#include <chrono>
#include <utility>

#include <caf/delegated.hpp>
#include <spdlog/logger.h>

#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>

#include "placement.hpp"
#include "sharded_core.hpp"

namespace troupe::detail {

namespace {

using route_atom = caf::atom_constant<caf::atom("route")>;
using claim_atom = caf::atom_constant<caf::atom("claim")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using aware_atom = caf::atom_constant<caf::atom("aware")>;
using take_atom = caf::atom_constant<caf::atom("take")>;
constexpr std::size_t most_origins = 4096;
using later = caf::delegated<bool>; // the answer is sent by hand

/// The answer of an entity, on its way to who has asked.
class relayed_question final : public question_base {
public:
  relayed_question(caf::strong_actor_ptr asker, caf::message_id id,
                   std::shared_ptr<std::atomic<std::size_t>> open)
    : asker_(std::move(asker)), id_(id), open_(std::move(open)) {
    ++*open_;
  }
  ~relayed_question() override { fail({errc::actor_down, "the node stops that was asked"}); }

  void fail(const failure& why) override { give(caf::make_message(why.to_caf_error())); }
  void take_response(caf::type_erased_tuple& content) override {
    give(caf::message::copy(content));
  }

private:
  void give(caf::message content) {
    answered();
    if (const auto to = std::exchange(asker_, nullptr)) {
      respond_to(to, id_, std::move(content));
      --*open_;
    }
  }

  caf::strong_actor_ptr asker_;
  const caf::message_id id_;
  const std::shared_ptr<std::atomic<std::size_t>> open_; // how many there are
};

} // namespace

std::shared_ptr<question_base> sharded_core::relay(const letter& what) const {
  return std::make_shared<relayed_question>(what.asker, what.id, open_questions_);
}

// -- the actor ----------------------------------------------------------------------------------

shard_region::shard_region(caf::actor_config& cfg, std::weak_ptr<sharded_core> of)
  : pinned_actor(cfg), of_(std::move(of)) {}

actor_description shard_region::describe() const {
  return {"entities", "those of one kind"};
}

void shard_region::on_exit() {
  if (const auto core = of_.lock())
    core->region_ends();
  pinned_actor::on_exit();
}

std::optional<waiting_question> shard_region::asked(std::string node, std::uint32_t hops) {
  const auto id = current_mailbox_element()->mid;
  return waiting_question{id.is_request() ? current_sender() : nullptr, id.response_id(),
                          std::move(node), hops};
}

caf::behavior shard_region::make_behavior() {
  const auto with = [this](std::uint32_t shards, const waiting_question& from, auto fn) {
    if (const auto core = of_.lock(); core && core->agrees(shards, from.asker, from.id))
      fn(*core);
    return later{};
  };
  return {[=, this](route_atom, std::uint32_t shards, std::uint32_t hops, std::uint32_t ms,
                    std::string& origin, std::uint64_t incarnation, std::uint64_t part,
                    std::string& key, const std::string& bytes) {
            const auto from = *asked();
            return with(shards, from, [&](sharded_core& core) {
              const auto now = loop().time();
              const auto wait = core.options().hold_for;
              const auto rest = from.asker ? duration{std::chrono::milliseconds(ms)} : wait;
              core.route({.key = std::move(key),
                          .content = {},
                          .asker = from.asker,
                          .id = from.id,
                          .until = now + std::min(rest, wait),
                          .answer_by = now + rest,
                          .hops = std::max(hops, 1u),
                          .origin = std::move(origin),
                          .part = {incarnation, part}},
                         bytes);
            });
          },
          [=, this](claim_atom, std::uint32_t shards, std::uint32_t number, std::string& node) {
            const auto from = *asked(std::move(node));
            return with(shards, from, [&](sharded_core& core) { core.claim(number, from); });
          },
          [=, this](flush_atom, std::uint32_t shards, std::uint32_t number, std::string& node,
                    std::uint32_t hops) {
            const auto from = *asked(std::move(node), hops);
            return with(shards, from, [&](sharded_core& core) { core.flush(number, from); });
          },
          [=, this](aware_atom, std::uint32_t shards, std::string& node) {
            const auto from = *asked(std::move(node));
            return with(shards, from, [&](sharded_core& core) { core.aware(from); });
          },
          [=, this](take_atom, std::uint32_t shards, const std::string& key,
                    const std::string& origin, const std::string& bytes) {
            const auto from = *asked();
            return with(shards, from,
                        [&](sharded_core& core) { core.take(key, origin, bytes, from); });
          }};
}

// -- what it is asked ---------------------------------------------------------------------------

bool sharded_core::agrees(std::uint32_t shards, const caf::strong_actor_ptr& asker,
                          caf::message_id id) {
  if (shards == options_.shards)
    return true;
  const auto why = "node " + us_ + " has " + std::to_string(options_.shards) + " shards of '"
                   + escape_text(options_.name, 64) + "', and another node "
                   + std::to_string(shards)
                   + ": sharded_options::shards must be the same on all nodes";
  rt_.repeats().note("sharded shards " + host_name_, log_level::warn, [&] { return why; });
  respond_to(asker, id, failure{errc::invalid_argument, why});
  return false;
}

void sharded_core::route(letter what, const std::string& bytes) {
  {
    const lock guard{mutex_};
    const auto refuse = [&](const failure& why) {
      ++count_.held; // which it is not, so far
      fail_letter(what, why);
    };
    if (const auto why = room_for_one(what.key))
      return refuse(why);
    auto content = read_message(rt_.system(), as_bytes(bytes));
    if (!content)
      return refuse(content.error());
    what.content = *std::move(content);
    if (const auto why = check_letter(what.key, what.content))
      return refuse(why);
    auto& s = shard_at(what.key);
    if (s.latest.size() >= most_origins && s.latest.count(what.origin) == 0)
      s.latest.clear(); // of nodes that are gone, as a rule
    auto& latest = s.latest[what.origin];
    if (what.part < latest)
      return refuse(
        {errc::connection_lost,
         "it was at a node that was taken for lost, and comes behind what was sent later"});
    latest = what.part;
    ++count_.held;
    if (s.at == shard::phase::here)
      put(s, std::move(what));
    else if (s.at == shard::phase::elsewhere && s.owner != us_)
      pass(s, std::move(what));
    else
      s.held.push_back(std::move(what));
    if (s.waiting() != 0)
      busy();
    look_at(s);
    settle(s);
  }
  start_entities();
}

// Takes what is to go on to another node.
void sharded_core::pass(shard& s, letter what) {
  // Who has sent this on takes us for the owner, or somebody behind us. To send it on at once is to play ball with it, until one
  // of us hears the news; what we have sent and what has come back would change places meanwhile.
  if (what.hops > 1 && s.patient_until == time_point{}) {
    s.patient_until = time() + 2 * cluster_.options().heartbeat;
    if (!s.went_to.empty())
      start_flush(s);
  }
  if (s.barred()
      && what.origin != us_) // what is ours, and comes back, is ahead of what waits there
    s.behind.push_back(std::move(what));
  else
    s.held.push_back(std::move(what));
}

// Another node wants to start a shard: true if this one has it not, and will not.
void sharded_core::claim(std::uint32_t number, waiting_question what) {
  const lock guard{mutex_};
  if (number >= options_.shards)
    return respond_to(what.asker, what.id, failure{errc::invalid_argument, "no such shard"});
  auto& s = shards_[number];
  const auto say = [&](bool free) {
    respond_to(what.asker, what.id, caf::make_message(free));
  };
  switch (s.at) {
  case shard::phase::elsewhere:
    return say(true);
  case shard::phase::here:
    return say(false);
  case shard::phase::leaving:
    return s.claims.push_back(std::move(what));
  case shard::phase::starting:
    break;
  }
  // Two want it: whose weight is greater goes first, and the other one asks again.
  const bool has = std::any_of(s.seats.begin(), s.seats.end(), [](const auto& one) {
    return one.second.at != seat::phase::waiting;
  });
  if (has || comes_before(us_, what.node, number))
    return say(false);
  begin(s);
  say(true);
}

void sharded_core::flush(std::uint32_t number, waiting_question what) {
  const lock guard{mutex_};
  if (number >= options_.shards)
    return respond_to(what.asker, what.id, failure{errc::invalid_argument, "no such shard"});
  auto& s = shards_[number];
  s.flushes.push_back(std::move(what));
  settle(s);
}

// Another node, which drains, asks whether this one knows that.
void sharded_core::aware(waiting_question what) {
  const lock guard{mutex_};
  const bool knows = std::find(hosts_.begin(), hosts_.end(), what.node) == hosts_.end();
  // Behind what other loops have on its way to loop 0.
  on_loop_0([what = std::move(what), knows](sharded_core&) {
    respond_to(what.asker, what.id, caf::make_message(knows));
  });
}

// Nothing happens here any more.
void sharded_core::region_ends() {
  const lock guard{mutex_};
  region_ = nullptr;
  ended_ = true;
  const failure why{errc::not_connected,
                    "the '" + options_.name + "' of node " + us_ + " have ended"};
  for (auto& s : shards_) {
    s.held_lease.abandon();
    for (auto& [key, one] : s.seats)
      hold_again(s, one);
    for (auto* const letters : {&s.held, &s.behind})
      for (auto& one : std::exchange(*letters, {}))
        if (one.asker)
          respond_to(one.asker, one.id, why);
    s.claims.clear();
    s.flushes.clear();
  }
}

} // namespace troupe::detail
