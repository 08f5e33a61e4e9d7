#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

// -- what we want -------------------------------------------------------------------------------

void cluster_core::look_at(const std::string& name) {
  const auto subscribers = topics_->find(name).subscribers();
  if (!own_.look(name, subscribers, time_.now()))
    rt_.repeats().note("cluster too many topics " + options_.name, log_level::error, [&] {
      return "node " + options_.name + " has subscribers of more than "
             + std::to_string(options_.max_topics) + " topics; those of topic "
             + escape_text(name, 64)
             + " do not get what other nodes publish: raise cluster_options::max_topics";
    });
  topics_here_ = own_.size();
  if (own_.version() != interest_told_)
    want_end_of_turn();
}

void cluster_core::send_interest_changes() {
  if (!talks() || own_.version() == interest_told_)
    return;
  const auto all = [this](const wire::writer& message) {
    send_all(message);
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  const bool kept = own_.tell_changes(interest_told_, header(wire::kind::interest), longest, all);
  interest_told_ = own_.version();
  if (!kept)
    for (auto& [name, p] : peers_)
      if (p->lives())
        tell_all_interest(*p);
}

// As tell_facts().
void cluster_core::tell_all_interest(peer& who) {
  if (who.told_interest.begun && parts_call_.active())
    return;
  who.told_interest = {true, own_.version(), 0, {}, false};
  if (tell_parts(who) && !parts_call_.active())
    later(rest_after, &cluster_core::go_on_telling, parts_call_);
}

void cluster_core::hear_interest_wanted(peer& who, wire::reader& in) {
  const auto from = in.u64();
  if (!in.ok() || !talks())
    return;
  send_interest_changes(); // that it would miss behind what we tell
  const auto to = [&](const wire::writer& message) {
    send(who.name, message);
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  if (from != 0 && own_.tell_changes(from, header(wire::kind::interest), longest, to))
    return;
  const auto now = time_.now();
  if (now - who.sent_whole_interest < options_.heartbeat / 2
      && who.sent_whole_interest != time_point{})
    return; // it asks more often than it can need
  who.sent_whole_interest = now;
  tell_all_interest(who);
}

// -- what they want -----------------------------------------------------------------------------

void cluster_core::ask_interest(peer& who) {
  const auto now = time_.now();
  if (!talks()
      || (now - who.asked_interest < options_.heartbeat / 2 && who.asked_interest != time_point{}))
    return;
  who.asked_interest = now;
  wire::writer out{header(wire::kind::interest_wanted)};
  out.u64(who.interest);
  send(who.name, out);
}

void cluster_core::hear_interest(peer& who, wire::reader& in) {
  const auto i = wire::read_interest(in);
  if (!i)
    return note_bad_message(who.name, "an interest that is none");
  const bool whole = (i->flags & wire::interest::whole) != 0;
  if (whole) {
    if (i->part == 0)
      who.whole = {true, i->to, 0, {}};
    if (!who.whole.begun || who.whole.to != i->to || who.whole.next_part++ != i->part) {
      who.whole = {}; // a part is lost: the next beat asks again
      return;
    }
  } else {
    if (i->to <= who.interest)
      return; // known
    if (i->from > who.interest)
      return ask_interest(who);
  }
  auto& names = who.whole.names;
  while (!in.at_end()) {
    const bool wanted = in.u8() == 1;
    const auto name = in.text();
    if (!in.ok() || name.empty() || name.size() > wire::longest_topic) {
      who.whole = {};
      return note_bad_message(who.name,
                              "an interest in a topic without a name, or with one too long");
    }
    if (wanted && (whole ? names.size() : who.topics.size()) >= options_.max_topics) {
      rt_.repeats().note("cluster too many topics of " + who.name, log_level::error, [&] {
        return "node " + who.name
               + " has subscribers of more topics than this node's "
                 "cluster_options::max_topics, "
               + std::to_string(options_.max_topics)
               + ": it does not get what is published here on the others";
      });
      continue;
    }
    if (whole)
      names.emplace_back(name);
    else if (wanted)
      wanted_.add(who, name);
    else
      wanted_.remove(who, name);
  }
  if (!whole || (i->flags & wire::interest::last) != 0) {
    if (whole)
      wanted_.replace(who, std::exchange(who.whole, {}).names);
    who.interest = i->to;
  }
  topics_elsewhere_ = wanted_.size();
}

// -- publications to others ---------------------------------------------------------------------

void cluster_core::carry(const topic& what, bytes_view bytes) {
  auto* const on = static_cast<wanted_topic*>(topic_sharing::mark_of(what));
  if (on == nullptr)
    return; // not any more
  for (auto& to : on->by_whom)
    add_publication(to, *on, bytes);
}

void cluster_core::add_publication(wanted_topic::by& to, const wanted_topic& on, bytes_view bytes) {
  auto& who = *to.who;
  if (!talks() || !who.lives())
    return drop_publication(who);
  auto& out = who.buffer;
  const auto size = bytes.size() + on.name.size() + 32;
  if (out.size() == 0 || out.size() + size > who.buffer_limit || buffered_ + size > room_) {
    if (!begin_publications(who, size))
      return;
  }
  const auto before = out.size();
  if (to.message == who.message) {
    out.varints(to.number, bytes.size());
  } else {
    to.message = who.message;
    to.number = who.topics_in_buffer++;
    out.varint(to.number).text(on.name).varint(bytes.size());
  }
  out.raw(as_text(bytes));
  buffered_ += out.size() - before;
  ++who.published;
  who.beats_to_tell = 4;
  count_.publications_out.add();
}

// Sees to it that a message to `who` has room for one more of so many bytes, or drops that one and returns false.
bool cluster_core::begin_publications(peer& who, std::size_t size) {
  auto& out = who.buffer;
  const auto limit = std::min(longest_batch, link_->longest_message());
  const auto waiting = link_->unsent();
  room_ = options_.max_unsent > waiting ? options_.max_unsent - waiting : 0;
  if (buffered_ + size > room_) {
    flush(who); // so that the numbers of what it holds stay without a gap
    drop_publication(who);
    rt_.repeats().note("cluster unsent " + options_.name, log_level::warn, [&] {
      return "node " + options_.name + ": publications are dropped for other nodes, as more than "
             + std::to_string(options_.max_unsent)
             + " bytes (cluster_options::max_unsent) wait for the backplane";
    });
    return false;
  }
  if (out.size() != 0 && out.size() + size > limit)
    flush(who);
  if (out.size() != 0)
    return true;
  ++who.message;
  who.topics_in_buffer = 0;
  who.buffer_limit = limit;
  out.begin(header(wire::kind::publications));
  wire::write(out, wire::publications{who.boot, who.out_stream, who.published});
  buffered_ += out.size();
  if (!std::exchange(who.dirty, true))
    dirty_.push_back(&who);
  want_end_of_turn();
  return true;
}

void cluster_core::drop_publication(peer& who) {
  ++who.published;
  ++who.dropped;
  who.beats_to_tell = 4;
  count_.publications_dropped.add();
}

void cluster_core::flush(peer& who) {
  if (who.buffer.size() == 0)
    return;
  buffered_ -= who.buffer.size();
  send(who.name, who.buffer);
  who.buffer.clear();
}

void cluster_core::flush_all() {
  if (dirty_.empty())
    return;
  gathered_before_ = 0;
  flushed_at_ = time_.now();
  for (auto* const who : std::exchange(dirty_, {})) {
    who->dirty = false;
    flush(*who);
  }
}

// Whoever publishes in one turn after the other fills one message: sending, and taking what was sent, costs more than
// what is in it. The first publication goes at once, and what follows as soon as a turn brings no more.
bool cluster_core::gathers() const {
  return !dirty_.empty() && buffered_ > gathered_before_ && buffered_ < worth_sending
         && time_.now() - flushed_at_ < gather_for;
}

// -- publications from others -------------------------------------------------------------------

void cluster_core::hear_publications(peer& who, wire::reader& in) {
  const auto p = wire::read_publications(in);
  if (!p)
    return note_bad_message(who.name, "publications that are none");
  if (p->to != boot_)
    return; // for an earlier process of our name
  if (p->stream < who.in_stream)
    return count_.publications_repeated.add();
  count_missed(who, p->stream, p->first);
  auto position = p->first;
  std::size_t topics = 0;
  auto named = std::move(named_); // a subscriber's producer may do anything
  while (const auto next = wire::read_publication(in, topics)) {
    if (!next->name.empty())
      named.push_back(topics_->find(next->name));
    if (position++ < who.seen) {
      count_.publications_repeated.add();
      continue;
    }
    who.seen = position;
    ++who.received;
    count_.publications_in.add();
    const auto& on = named[next->topic];
    if (options_.accepts && on && !accepts(who, on.name(), next->bytes))
      continue;
    if (on && on.subscribers() != 0)
      arrivals_.add(on, as_bytes(next->bytes));
    else
      count_.publications_unwanted.add();
  }
  arrivals_.hand_over();
  if (!in.ok())
    note_bad_message(who.name, "a publication that is none");
  named.clear();
  named_ = std::move(named);
}

bool cluster_core::accepts(const peer& who, const std::string& topic, std::string_view bytes) {
  try {
    if (options_.accepts(topic, bytes))
      return true;
  } catch (...) {
    rt_.logger().error("node {}: unhandled exception in cluster_options::accepts: {}",
                       options_.name, failure::current().message());
  }
  count_.publications_refused.add();
  rt_.repeats().note("cluster refused publications of " + who.name, log_level::warn, [&] {
    return "node " + who.name + " published in topic " + escape_text(topic, 64)
           + " what cluster_options::accepts of node " + options_.name + " does not take";
  });
  return false;
}

// Takes notice of how many publications the other side had for us so far.
void cluster_core::count_missed(peer& who, std::uint64_t stream, std::uint64_t published) {
  if (stream == 0 || stream < who.in_stream)
    return;
  if (stream > who.in_stream) {
    who.in_stream = stream;
    who.seen = 0;
  }
  if (published <= who.seen)
    return;
  const auto missed = published - who.seen;
  who.seen = published;
  who.missed += missed;
  who.missed_untold += missed;
  missed_untold_ = true;
  count_.publications_missed.add(missed);
}

} // namespace troupe::detail
