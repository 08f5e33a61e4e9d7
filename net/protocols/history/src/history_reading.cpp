#include <algorithm>
#include <utility>

#include <troupe/runtime/repeats.hpp>

#include "history_core.hpp"

namespace troupe::detail {

namespace {

constexpr unsigned most_failures = 4;        // of reads, before a gap is left as it is
constexpr std::size_t most_catching_up = 16; // reads at once for which nobody waits
constexpr unsigned most_doublings = 4;       // of the time between two

} // namespace

// -- what loops and others ask --------------------------------------------------------------------

history_core::room_ref history_core::room_of(const std::string& name) {
  auto& r = rooms_[name];
  if (!r) {
    r = std::make_shared<room>(name, options_, audiences_.size());
    link_->follow(name, true);
  }
  r->used = rt_.reactor().now();
  return r;
}

void history_core::ask(std::size_t loop, const std::string& name, std::uint64_t after,
                       std::size_t limit) {
  on_loop_0([loop, name, after, limit](history_core& core) {
    core.asked(name, {.loop = loop, .after = after, .limit = limit});
  });
}

void history_core::asked(const std::string& name, waiting who) {
  if (link_ == nullptr || closing_) {
    if (who.done)
      who.done(failure{errc::runtime_stopped});
    return;
  }
  const auto r = room_of(name);
  who.asked = rt_.reactor().now();
  who.needs = std::max(r->kept, r->ring.last());
  r->waits.push_back(std::move(who));
  serve(r);
}

void history_core::history(const std::string& name, const history_request& request,
                           answer_to<history_page> done) {
  if (link_ == nullptr || closing_)
    return done(failure{errc::runtime_stopped});
  const auto limit = std::min(request.limit, options_.max_replay);
  if (!ready())
    return done(why_not_);
  if (request.before.epoch == 0)
    return asked(name, {.limit = limit, .done = std::move(done)});
  if (request.before.epoch != epoch_ || request.before.sequence == 0 || limit == 0) {
    history_page none; // nothing is before that
    none.epoch = epoch_;
    return done(std::move(none));
  }
  tallies_.store_reads.add();
  auto page = link_->read(
    name,
    {.before = request.before.sequence, .limit = limit, .max_bytes = options_.max_replay_bytes});
  with_timeout(std::move(page), options_.append_timeout, rt_.reactor())
    .add_both(
      [done = std::move(done)](outcome<history_page> got) mutable { done(std::move(got)); });
}

// Answers from memory whom it can. For the others the store is asked once, for what all of them miss.
void history_core::serve(const room_ref& r) {
  if (r->asking)
    return;
  if (r->held.empty()) {
    auto waits = std::exchange(r->waits, {});
    for (auto& w : waits) {
      const bool current = !r->stale && r->ring.last() >= w.needs;
      if (r->ring.answers(w.after, w.limit) && (!w.done || current))
        answer(r, w, r->ring.newest(w.after, w.limit), false);
      else
        r->waits.push_back(std::move(w));
    }
  }
  const bool behind = !r->held.empty() || r->stale;
  const bool later = r->again.active(); // who wants what the store did not have waits for that
  const bool wanted =
    std::ranges::any_of(r->waits, [&](const waiting& w) { return !w.again || !later; })
    || (behind && !later);
  if (!wanted || !store_answers() || r->asking)
    return;
  if (r->waits.empty() && catching_up_ >= most_catching_up) {
    if (!std::exchange(r->queued, true))
      to_catch_up_.push_back(r);
    return;
  }
  history_query query{.after = UINT64_MAX, .limit = options_.ring_messages};
  query.max_bytes = options_.max_replay_bytes;
  for (const auto& w : r->waits) {
    query.after = std::min(query.after, w.after);
    query.limit = std::max(query.limit, w.limit);
  }
  if (r->ring.known()) {
    query.after = std::min(query.after, r->ring.last());
    if (!r->held.empty() || r->stale)
      query.limit = options_.max_replay;
  } else { // the ring begins with it
    query.after = 0;
  }
  read(r, query);
}

void history_core::read(const room_ref& r, const history_query& query) {
  r->asking = true;
  r->catches_up = r->waits.empty();
  catching_up_ += r->catches_up ? 1 : 0;
  // What the store has when it reads, and what memory has when that is here, must meet.
  r->ring.widen(options_.max_replay, options_.max_replay_bytes);
  tallies_.store_reads.add();
  auto page = link_->read(r->name, query);
  with_timeout(std::move(page), options_.append_timeout, rt_.reactor())
    .add_both([weak = weak_from_this(), r, query, reading = r->reading](outcome<history_page> got) {
      const auto self = weak.lock();
      if (!self || self->link_ == nullptr || r->reading != reading)
        return;
      self->end_read(r);
      self->have_read(r, query, std::move(got));
      if (!r->asking)
        r->ring.narrow();
      self->next_catch_up();
    });
}

void history_core::end_read(const room_ref& r) {
  r->asking = false;
  ++r->reading; // what may still be answered is too old
  catching_up_ -= std::exchange(r->catches_up, false) ? 1 : 0;
}

// Many topics may have missed something at once; they take turns.
void history_core::next_catch_up() {
  while (catching_up_ < most_catching_up && !to_catch_up_.empty()) {
    const auto r = std::move(to_catch_up_.front());
    to_catch_up_.pop_front();
    r->queued = false;
    serve(r);
  }
}

void history_core::read_again(const room_ref& r) {
  if (r->again.active())
    return;
  const auto span = options_.patience / most_failures
                    * (r->held.empty() ? 1 << std::min(r->retries, most_doublings) : 1);
  ++r->retries;
  r->again = rt_.reactor().call_later(span, [weak = weak_from_this(), of = std::weak_ptr{r}] {
    const auto self = weak.lock();
    const auto still = of.lock();
    if (self && self->link_ && still)
      self->serve(still);
  });
}

void history_core::have_not_read(const room_ref& r, const failure& why) {
  rt_.repeats().note("read " + store_->name(), log_level::error, [&] {
    return "history: " + shown(r->name) + " could not be read: " + why.message();
  });
  history_kept_so_far();
  for (auto& w : std::exchange(r->waits, {})) {
    if (w.done)
      w.done(why);
    else
      answer(r, w, r->ring.newest(w.after, w.limit), true);
  }
  // Without the store what is held stays: it is read when the store is back.
  if (store_answers())
    miss(r);
}

// What is missing may come: it is asked for some times more, and then all goes on without it.
void history_core::miss(const room_ref& r) {
  const bool counts = !r->again.active(); // somebody else may have made it be read in between
  if (!r->held.empty() && counts && ++r->failures >= most_failures) {
    tallies_.gaps_unfilled.add();
    restart_ring(r, r->held.front()->previous);
    feed_held(r);
    r->failures = 0;
    history_kept_so_far();
  }
  if (!r->held.empty() || r->stale)
    read_again(r);
}

// Tells whether what was asked for, and is known to have been kept, may still come in time.
bool history_core::may_come(const waiting& who) const {
  return rt_.reactor().now() - who.asked < options_.patience / most_failures * (most_failures - 1);
}

void history_core::have_read(const room_ref& r, const history_query& query,
                             outcome<history_page> got) {
  if (got && got->epoch != epoch_)
    return serve(r); // asked of a store that is gone
  if (!got)
    return have_not_read(r, got.error());
  auto& ring = r->ring;
  r->retries = 0;
  if (ring.known() && got->floor > ring.last() && query.limit < options_.max_replay) {
    r->stale = true; // what is between may be there: it was not asked for
    return serve(r);
  }
  r->stale = false;
  // What a page says to be there and does not have would count as heard, and be lost.
  got->last = got->messages.empty() ? got->floor : got->messages.back()->at.sequence;
  if (!ring.known()) {
    ring.take(*got);
    renew_rings(r);
  } else {
    if (got->floor > ring.last()) {
      if (!got->messages.empty() || !r->held.empty())
        tallies_.gaps_unfilled.add();
      restart_ring(r, got->floor);
    }
    auto held = std::exchange(r->held, {});
    for (const auto& message : got->messages)
      feed(r, message);
    r->held = std::move(held);
    ring.deepen(*got);
  }
  if (!r->held.empty() && r->held.front()->previous > ring.last())
    miss(r); // the store does not know of it yet, or never will
  else
    take_back(r->again);
  feed_held(r);
  if (r->held.empty())
    r->failures = 0;
  history_kept_so_far();

  bool some_wait = false;
  const auto wait = [&](waiting& w) {
    some_wait = w.again = true;
    r->waits.push_back(std::move(w));
  };
  auto waits = std::exchange(r->waits, {});
  for (auto& w : waits) {
    const bool asked_for = w.after >= query.after && w.limit <= query.limit;
    if (!asked_for && got->floor > w.after && got->messages.size() < w.limit) { // it came later
      r->waits.push_back(std::move(w));
      continue;
    }
    // What the store had, and what has come since.
    history_page page = *got;
    std::erase_if(page.messages, [&](const kept_ref& m) { return m->at.sequence <= w.after; });
    // If not, more has come since than memory has, or the store cannot fill a gap.
    const bool meets = ring.floor() <= page.last;
    if (ring.last() > page.last && (meets || !w.done)) {
      if (!meets && may_come(w)) {
        wait(w);
        continue;
      }
      if (!meets) {
        page.messages.clear();
        page.floor = ring.floor();
      }
      for (const auto& m : ring.messages())
        if (m->at.sequence > page.last && m->at.sequence > w.after)
          page.messages.push_back(m);
      page.last = ring.last();
    }
    // A copy may have been read that is behind; or all that there was has been dropped.
    if (w.done && page.last < w.needs && got->last != 0) {
      if (may_come(w))
        wait(w);
      else
        w.done(failure{history_errc::store_unavailable, "it does not have yet what it has kept"});
      continue;
    }
    answer(r, w, std::move(page), false);
  }
  if (some_wait)
    read_again(r);
  serve(r);
}

void history_core::restart_ring(const room_ref& r, std::uint64_t floor) {
  pass_on(r);
  r->ring.restart(floor);
  renew_rings(r);
}

void history_core::renew_rings(const room_ref& r) {
  const auto ring = r->ring.narrowed();
  for (std::size_t i = 0; i < r->active.size(); ++i)
    if (r->active[i])
      tell(i, [r, ring](history_audience& a) { a.adopt(r->name, *ring); });
}

void history_core::answer(const room_ref& r, waiting& who, history_page page, bool unknown) {
  page.epoch = epoch_;
  if (page.messages.size() > who.limit) {
    const auto extra = page.messages.size() - who.limit;
    page.floor = page.messages[extra - 1]->at.sequence;
    page.messages.erase(page.messages.begin(),
                        page.messages.begin() + static_cast<std::ptrdiff_t>(extra));
  }
  if (who.done)
    return who.done(std::move(page));
  pass_on(r); // what was known before comes before
  auto told = std::make_shared<history_answer>();
  told->page = std::move(page);
  told->asked_after = who.after;
  told->asked_limit = who.limit;
  told->unknown = unknown;
  if (!r->active[*who.loop]) {
    r->active[*who.loop] = true;
    told->ring = r->ring.narrowed();
  }
  tell(*who.loop, [r, told](history_audience& a) { a.take(r->name, *told); });
}

} // namespace troupe::detail
