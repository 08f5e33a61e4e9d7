// Reading what the stream has of a topic.
//
// The server that leads the stream is asked for one message after the other: the first of a subject from a sequence on. It has no question
// for those before one, so what is read begins a little before the place up to which messages are wanted, and further back as long as there
// are too few. Parts of a long stretch are read at the same time.

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include <troupe/history/history_errc.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_list.hpp>

#include "jetstream_link.hpp"

namespace troupe::detail {

namespace {

constexpr std::uint64_t most_parts = 16; // that are read at the same time
constexpr std::uint64_t least_part = 16; // messages that are wanted of one
constexpr std::size_t most_wanted = std::size_t{1} << 20;
constexpr std::uint64_t growth = 16;

// With the one before them, which says that none is missing.
std::size_t wanted_of(const history_query& query) noexcept {
  return std::min(query.limit, most_wanted) + 1;
}

// Returns how far before `from` to begin, where `read` of `wanted` messages were found in the `span` behind it.
std::uint64_t further(std::uint64_t from, std::uint64_t span, std::size_t read,
                      std::size_t wanted) noexcept {
  if (span >= from / growth)
    return from;
  if (read == 0)
    return span * growth;
  const auto missing = wanted - std::min(read, wanted) + 1;
  const auto each = span / read + 1;
  return std::clamp(each <= from / missing ? each * missing * 3 / 2 : from, span, span * growth);
}

} // namespace

void read_stretch::add(kept_message message) {
  message.previous = !messages.empty() ? messages.back().at.sequence
                     : known           ? before
                                       : message.at.sequence - 1;
  bytes += message.bytes.size();
  messages.push_back(std::move(message));
}

void read_stretch::prepend(read_stretch older) {
  if (older.messages.empty() && !older.known) {
    read += older.read;
    return;
  }
  if (!messages.empty())
    messages.front().previous =
      older.messages.empty() ? older.before : older.messages.back().at.sequence;
  older.messages.insert(older.messages.end(), std::make_move_iterator(messages.begin()),
                        std::make_move_iterator(messages.end()));
  older.bytes += bytes;
  older.read += read;
  *this = std::move(older);
}

void read_stretch::keep_newest(const history_query& of) {
  while (messages.size() > of.limit || (bytes > of.max_bytes && messages.size() > 1)) {
    cut |= messages.size() <= of.limit;
    known = true;
    before = messages.front().at.sequence;
    bytes -= messages.front().bytes.size();
    messages.pop_front();
  }
}

jetstream jetstream_core::store() const {
  if (events_ == nullptr || store_ == nullptr)
    failure{errc::runtime_stopped}.raise();
  return jetstream{*store_};
}

deferred<history_page> jetstream_core::read(std::string_view topic, const history_query& query) {
  if (store_ == nullptr)
    return fail<history_page>(failure{history_errc::store_unavailable, "not connected yet"});
  return read_page(shared_from_this(), std::string{topic}, query)
    .add_errback(
      [self = shared_from_this()](const failure& why) -> failure { return self->meaning_of(why); });
}

namespace {

// Makes a message that is not there a result.
deferred<std::optional<stored_message>> if_there(deferred<stored_message> got) {
  using found = std::optional<stored_message>;
  return std::move(got).add_callbacks([](stored_message m) { return outcome<found>{std::move(m)}; },
                                      [](const failure& why) -> outcome<found> {
                                        if (why.check(nats_errc::message_not_found))
                                          return found{};
                                        return why;
                                      });
}

std::uint64_t sequence_of(const std::optional<stored_message>& m) noexcept {
  return m ? m->sequence : 0;
}

} // namespace

// Returns the last sequence of a subject, 0 if it has none.
deferred<std::uint64_t> jetstream_core::last_of(self_ref self, std::string subject) {
  return if_there(self->store().get_last_message(self->options_.name, subject))
    .add_callback(&sequence_of);
}

// Returns the first sequence of a subject from `from` on, 0 if it has none.
deferred<std::uint64_t> jetstream_core::next_of(self_ref self, std::string subject,
                                                std::uint64_t from) {
  return if_there(self->store().get_next_message(self->options_.name, subject, from))
    .add_callback(&sequence_of);
}

// Returns the newest of what lies from `from` to before `end`, as many as `query` wants. The subject has a message behind that, or just
// before `end`.
deferred<read_stretch> jetstream_core::read_part(self_ref self, std::string subject,
                                                 std::uint64_t from, std::uint64_t end,
                                                 history_query query) {
  read_stretch found;
  while (from < end) {
    auto m = co_await if_there(self->store().get_next_message(self->options_.name, subject, from));
    if (sequence_of(m) < from)
      failure{history_errc::store_unavailable, "what was there a moment ago is not"}.raise();
    from = m->sequence + 1;
    if (m->sequence >= end)
      break;
    ++found.read;
    if (m->sequence <= query.after) {
      found.known = true;
      found.before = m->sequence;
      continue;
    }
    found.add({{self->epoch_, m->sequence},
               0,
               static_cast<std::int64_t>(microseconds_of_time(m->time).value_or(0) / 1000),
               id_of(m->headers.get("Nats-Msg-Id")),
               shared_bytes{std::move(m->payload)}});
    found.keep_newest(query);
  }
  co_return found;
}

// Returns the same of a stretch that may be long. Its parts share the bytes that are allowed, until it shows that this is too little for one.
deferred<read_stretch> jetstream_core::read_on(self_ref self, std::string subject,
                                               std::uint64_t from, std::uint64_t end,
                                               history_query query) {
  const auto count = std::clamp<std::uint64_t>(wanted_of(query) / least_part, 1, most_parts);
  const auto each = (end - from) / count + 1;
  auto of_part = query;
  of_part.max_bytes /= count;
  std::vector<deferred<read_stretch>> parts;
  for (auto at = from; at < end;) {
    const auto stop = end - at > each ? at + each : end;
    parts.push_back(read_part(self, subject, at, stop, of_part));
    at = stop;
  }
  auto read = co_await deferred_list(std::move(parts));
  read_stretch all;
  for (auto part = read.rbegin(); part != read.rend() && !all.known; ++part) {
    if (part->value().cut && count > 1)
      co_return co_await read_part(self, subject, from, end, query);
    all.prepend(std::move(*part).value());
    all.keep_newest(query);
  }
  co_return all;
}

deferred<history_page> jetstream_core::read_page(self_ref self, std::string topic,
                                                 history_query query) {
  if (const auto found = self->followed_.find(topic);
      found != self->followed_.end() && !found->second.settled) {
    co_await self->live_->flush(); // what comes after this page is heard
    if (const auto still = self->followed_.find(topic); still != self->followed_.end())
      still->second.settled = true;
  }
  const auto subject = self->subject_of(topic);
  history_page page;
  page.epoch = self->epoch_;

  // The last one is asked for before anything is read, so what is said to be there has been read, too.
  page.last = co_await last_of(self, subject);
  const auto end = query.before;
  const auto top = end != 0 ? std::min(end, page.last + 1) : page.last + 1;
  const auto lowest = std::max<std::uint64_t>(query.after, 1);
  if (top - 1 <= query.after || query.limit == 0) { // nothing is asked for that is there
    page.floor = std::min(page.last, top - 1);
    co_return page;
  }
  const auto wanted = wanted_of(query);
  auto from = top - lowest > wanted ? top - wanted : lowest;
  auto all = co_await read_on(self, subject, from, top, query);
  while (!all.known && from > lowest) {
    const auto upper = from;
    from -= further(from, top - from, all.read, wanted);
    from = std::max(from, lowest);
    all.prepend(co_await read_on(self, subject, from, upper, query));
    all.keep_newest(query);
  }

  auto& messages = all.messages;
  const auto& o = self->options_;
  bool whole = !all.known && from == 1 && query.after == 0 && o.max_age == duration::zero()
               && o.max_bytes == 0;
  if (whole) { // the stream had so many of this topic at most, so none has been dropped
    const auto had = end == 0 ? all.read : page.last;
    const auto last = co_await last_of(self, subject);
    whole = last >= page.last && had + (last - page.last) < o.per_topic;
  }
  if (whole) {
    if (!messages.empty())
      messages.front().previous = 0;
    all.known = true;
  } else if (!messages.empty()) {
    // The oldest go first: whatever the stream has dropped meanwhile came before what is still there.
    const auto oldest = all.known && all.before != 0 ? all.before : messages.front().at.sequence;
    const auto there = co_await next_of(self, subject, oldest);
    if (there != oldest) {
      all.known = false;
      while (!messages.empty() && (there == 0 || messages.front().at.sequence < there))
        messages.pop_front();
      if (!messages.empty())
        messages.front().previous = messages.front().at.sequence - 1;
    }
  }
  if (page.epoch != self->epoch_)
    failure{history_errc::store_unavailable, "the stream was made anew"}.raise();
  if (all.known)
    page.floor = all.before;
  else
    page.floor = messages.empty() ? page.last : messages.front().previous;
  page.messages.reserve(messages.size());
  for (auto& m : messages)
    page.messages.push_back(std::make_shared<const kept_message>(std::move(m)));
  co_return page;
}

} // namespace troupe::detail
