#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

// More than that are no cluster, but somebody who makes up names.
constexpr std::size_t most_nodes = 4096;
constexpr std::size_t most_old_streams = 1024;
constexpr unsigned beats_that_tell = 4; // some may be lost

} // namespace

// -- who speaks ---------------------------------------------------------------------------------

// Returns who sent a message, if it counts: of a process that we do not know, only a beat does.
peer* cluster_core::hear(std::string_view from, const wire::header& h, const wire::beat* b) {
  auto found = peers_.find(from);
  if (found == peers_.end()) {
    if (b == nullptr)
      return nullptr;
    if (peers_.size() >= most_nodes || !is_node_name(from)) {
      note_bad_message(from, "a beat, but knows as many nodes as it may, or the name is none");
      return nullptr;
    }
    found = peers_.emplace(std::string{from}, std::make_unique<peer>(std::string{from})).first;
  }
  auto& who = *found->second;
  if (who.boot != h.boot) {
    if (b == nullptr)
      return nullptr;
    if (h.incarnation > who.incarnation)
      return greet(who, h, *b);
    answer_outdated(who.name, h.boot, who.incarnation, who);
    return nullptr;
  }
  if (h.incarnation > who.incarnation)
    return b != nullptr ? greet(who, h, *b) : nullptr;
  if (h.incarnation < who.incarnation)
    return nullptr; // said before it took its new one
  switch (who.state) {
  case node_state::refused:
    if (b != nullptr) // it may not have known us when we said it first
      answer_refused(who);
    return nullptr;
  case node_state::left: // what it published before it left may come behind
    return h.what == wire::kind::publications ? &who : nullptr;
  case node_state::down:
    answer_outdated(who.name, h.boot, who.incarnation, who);
    return nullptr;
  case node_state::suspected:
    who.state = node_state::up;
    tell(node_event::up, who);
    break;
  case node_state::up:
    break;
  }
  who.heard = time_.now();
  return &who;
}

// A new incarnation: of a process that we knew, or of a new one.
peer* cluster_core::greet(peer& who, const wire::header& h, const wire::beat& b) {
  if (who.lives()) {
    if (who.boot
        == h.boot) // its users have not gone anywhere: they are given the time to be told again
      lose(who, {errc::connection_lost, "it has a new incarnation"},
           std::max(options_.leave_hold, 4 * options_.heartbeat));
    else
      lose(who, {errc::connection_lost, "a new process has its name"}, options_.leave_hold);
  }
  if (who.boot != h.boot)
    new_process(who, h.boot);
  who.incarnation = h.incarnation;
  who.version = b.version;
  who.heard = time_.now();
  who.down_after = options_.down_after;
  bool fits = true;
  try {
    fits = !options_.compatible || options_.compatible(b.version);
  } catch (...) {
    fits = false;
    rt_.logger().error("node {}: unhandled exception in cluster_options::compatible: {}",
                       options_.name, failure::current().message());
  }
  if (!fits) {
    who.state = node_state::refused;
    who.ended = who.heard;
    wanted_.remove_all(who);
    topics_elsewhere_ = wanted_.size();
    lose_presence(who, presence_cause::node_down, duration::zero());
    answer_refused(who);
    tell(node_event::refused, who, {errc::not_supported, why_refused(who)});
    return nullptr;
  }
  who.state = node_state::up;
  board_.keep({who.name, who.boot});
  presence_dirty_ = true;
  want_end_of_turn();
  who.beats_to_tell = beats_that_tell;
  tell(node_event::up, who);
  if (talks())
    beat(&who);
  return &who;
}

void cluster_core::new_process(peer& who, std::uint64_t boot) {
  wanted_.remove_all(who);
  topics_elsewhere_ = wanted_.size();
  forget_facts(who, {errc::connection_lost, "a new process has the name of node " + who.name});
  who.open_questions = std::make_shared<std::size_t>(0);
  board_.replace({who.name, who.boot});
  who.boot = boot;
  who.interest = 0;
  who.asked_interest = who.sent_whole_interest = who.told_outdated = who.told_refused = {};
  who.whole = {};
  who.told_interest = who.told_facts = {};
  who.refuses_us = false;
  buffered_ -= who.buffer.size();
  who.buffer.clear();
  who.out_stream = ++last_stream_;
  who.published = who.dropped = who.received = who.missed = 0;
  who.in_stream = who.seen = 0;
  const auto old = std::find_if(old_streams_.begin(), old_streams_.end(),
                                [&](const auto& one) { return one.first == boot; });
  if (old != old_streams_.end()) {
    who.in_stream = old->second[0];
    who.seen = old->second[1];
    old_streams_.erase(old);
  }
}

void cluster_core::hear_beat(peer& who, const wire::beat& b) {
  const auto period = std::min<duration>(std::chrono::milliseconds(b.period_ms), 1h);
  who.down_after = std::max(options_.down_after, 3 * period);
  if (const auto record = wire::find_sent(b.sent, boot_))
    count_missed(who, record->stream, record->published);
  if (b.interest != who.interest)
    ask_interest(who);
  if (b.facts != who.facts)
    ask_facts(who);
}

void cluster_core::hear_bye(peer& who) {
  who.state = node_state::left;
  who.ended = time_.now();
  wanted_.remove_all(who);
  topics_elsewhere_ = wanted_.size();
  tell(node_event::left, who);
  const failure why{errc::connection_lost, "node " + who.name + " has left"};
  fail_questions(&who, why);
  forget_facts(who, why);
  lose_presence(who, presence_cause::node_left, options_.leave_hold);
  look_at_node_watches(who, why);
}

// -- who we are ---------------------------------------------------------------------------------

// Somebody has our name. Who was there first keeps it, as long as it lives to say so, also of two whose
// claims have crossed; of two that have been there for long, after a split or a long stop, the newer
// one does, for the others know that one.
void cluster_core::hear_own_name(const wire::header& h, wire::reader& in) {
  if (h.boot == boot_)
    return; // an echo
  const auto say_taken = [&] {
    wire::writer out{header(wire::kind::taken)};
    out.u64(h.boot);
    send_all(out);
  };
  const auto refuse = [&] {
    refuse_us({errc::name_taken,
               "another process is node " + options_.name + " of cluster " + options_.cluster
                 + " already: stop it, or give this one another cluster_options::name"});
  };
  const auto ours = std::pair{incarnation(), boot_};
  const auto theirs = std::pair{h.incarnation, h.boot};
  const bool we_join = !begun_ || time_.now() - joined_at_ < options_.down_after;
  switch (h.what) {
  case wire::kind::taken:
    // One that was stopped while we came says so, too, when it finds our claim. Our beats follow.
    if (in.u64() == boot_ && (we_join || ours < theirs))
      refuse();
    return;
  case wire::kind::claim:
    if (begun_ || ours < theirs)
      say_taken();
    return;
  case wire::kind::beat:
    if (!begun_)
      return; // it answers our claim, or is dead
    if (const auto b = wire::read_beat(in)) {
      const bool they_join = (b->flags & wire::beat::joining) != 0;
      if (they_join ? !we_join || ours < theirs : !we_join && theirs < ours)
        say_taken();
      else if (we_join) // it may have ended behind that beat; else it answers
        send_all(wire::writer{header(wire::kind::claim)});
      else
        refuse();
    }
    return;
  default:
    return;
  }
}

std::string cluster_core::why_refused(const peer& who) const {
  return "version '" + escape_text(who.version, wire::longest_version) + "' of node " + who.name
         + " is not compatible with '" + options_.version + "' of " + options_.name;
}

void cluster_core::answer_refused(peer& who) {
  const auto now = time_.now();
  if (now - who.told_refused < options_.heartbeat / 2 && who.told_refused != time_point{})
    return;
  who.told_refused = now;
  const auto why = why_refused(who);
  wire::writer out{header(wire::kind::refused)};
  out.u64(who.boot).text(std::string_view{why}.substr(0, wire::longest_reason - 1));
  send(who.name, out);
}

void cluster_core::answer_outdated(const std::string& to, std::uint64_t boot,
                                   std::uint64_t incarnation, peer& from) {
  const auto now = time_.now();
  if (now - from.told_outdated < options_.heartbeat / 2 && from.told_outdated != time_point{})
    return;
  from.told_outdated = now;
  wire::writer out{header(wire::kind::outdated)};
  out.u64(boot).u64(incarnation);
  send(to, out);
}

void cluster_core::hear_outdated(wire::reader& in) {
  const auto boot = in.u64();
  const auto known = in.u64();
  if (in.ok() && boot == boot_ && known >= incarnation() && talks())
    rejoin(known);
}

void cluster_core::rejoin(std::uint64_t above) {
  if (above >= wire::incarnation_limit - 1)
    return; // nobody gets there by counting
  incarnation_ = above + 1;
  count_.incarnations.add();
  for (auto& [name, p] : peers_)
    p->beats_to_tell = beats_that_tell;
  tell_of_us(node_event::rejoined);
  beat(nullptr);
}

// -- who is silent ------------------------------------------------------------------------------

void cluster_core::judge() {
  const auto now = time_.now();
  auto next = saturating_add(now, options_.down_after / 2);
  if (now - last_tick_ > 2 * options_.heartbeat) {
    forgive_silence();
  } else if (talks()) {
    // What lies in our sockets has been said, whether or not we have come to it; but we do not wait for
    // ever.
    const auto heard_until =
      own_time_ ? now : std::min(now, std::max(home_.heard_until(), now - options_.down_after));
    for (auto& [name, p] : peers_) {
      if (!p->lives())
        continue;
      const auto silent = heard_until - p->heard;
      if (silent >= p->down_after) {
        lose(*p, {errc::timed_out, "nothing heard for " + in_ms(silent)}, options_.leave_hold);
        continue;
      }
      if (p->state == node_state::up && silent >= p->down_after / 2) {
        p->state = node_state::suspected;
        tell(node_event::suspected, *p);
      }
      const auto due = p->heard + (p->state == node_state::up ? p->down_after / 2 : p->down_after);
      next = std::min(next, std::max(due, now + 10ms));
    }
  }
  later(next - now, &cluster_core::judge, judge_call_);
}

void cluster_core::lose(peer& who, failure why, duration hold) {
  who.state = node_state::down;
  who.ended = time_.now();
  who.whole = {};
  const failure lost{errc::connection_lost, "node " + who.name + " is down: " + why.message()};
  tell(node_event::down, who, std::move(why));
  fail_questions(&who, lost);
  forget_facts(who, lost);
  lose_presence(who, presence_cause::node_down, hold);
  look_at_node_watches(who, lost);
}

void cluster_core::forgive_silence() {
  last_tick_ = time_.now();
  for (auto& [name, p] : peers_)
    if (p->lives()) {
      p->heard = last_tick_;
      p->beats_to_tell = beats_that_tell;
    }
}

void cluster_core::isolated_for_too_long() {
  gave_up_ = true;
  for (auto& [name, p] : peers_)
    if (p->lives())
      lose(*p, {errc::not_connected, "our own backplane is lost"}, options_.leave_hold);
}

void cluster_core::forget_old() {
  const auto now = time_.now();
  for (auto next = peers_.begin(); next != peers_.end();) {
    auto& who = *next->second;
    if (who.lives() || now - who.ended < options_.forget_after) {
      ++next;
      continue;
    }
    wanted_.remove_all(who);
    forget_facts(who, {errc::connection_lost, "node " + who.name + " is forgotten"});
    fail_questions(&who, {errc::connection_lost, "node " + who.name + " is forgotten"});
    board_.replace({who.name, who.boot});
    buffered_ -= who.buffer.size();
    std::erase(dirty_, &who);
    if (who.boot != 0)
      old_streams_.push_back({who.boot, {who.in_stream, who.seen}});
    if (old_streams_.size() > most_old_streams)
      old_streams_.pop_front();
    next = peers_.erase(next);
  }
  topics_elsewhere_ = wanted_.size();
}

} // namespace troupe::detail
