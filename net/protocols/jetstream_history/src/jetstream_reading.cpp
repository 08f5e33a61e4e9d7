// Reading what the stream has of a topic.
//
// A stream has no index by which the newest messages of a subject could be found: a consumer goes forward from a sequence. So one begins
// a little before the place up to which they are wanted, and further back as long as there are too few. All that is read is without a
// gap: what a consumer sends is numbered, and what the stream may have dropped meanwhile is found out at the end.

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <troupe/history/history_errc.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/coroutine.hpp>

#include "jetstream_link.hpp"

namespace troupe::detail {

namespace {

constexpr std::size_t most_in_batch = 256; // messages that are fetched at once
constexpr std::size_t head_room = 8192;    // of a message: its subjects and headers
constexpr std::size_t most_wanted = std::size_t{1} << 20;
constexpr std::uint64_t first_guess = 2; // messages of the stream for each that is wanted
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

deferred<std::uint64_t> sequence_of(deferred<stored_message> got) {
  return std::move(got).add_callbacks(
    [](const stored_message& m) { return outcome<std::uint64_t>{m.sequence}; },
    [](const failure& why) -> outcome<std::uint64_t> {
      if (why.check(nats_errc::message_not_found))
        return std::uint64_t{0};
      return why;
    });
}

} // namespace

// Returns the last sequence of a subject, 0 if it has none.
deferred<std::uint64_t> jetstream_core::last_of(self_ref self, std::string subject) {
  return sequence_of(self->store().get_last_message(self->options_.name, subject));
}

// Returns the first sequence of a subject from `from` on, 0 if it has none.
deferred<std::uint64_t> jetstream_core::next_of(self_ref self, std::string subject,
                                                std::uint64_t from) {
  return sequence_of(self->store().get_next_message(self->options_.name, subject, from));
}

// Returns the newest of what lies from `from` to before `end` (0: up to now, and to `last` at least), as many as `query` wants.
deferred<read_stretch> jetstream_core::read_on(self_ref self, std::string subject,
                                               std::uint64_t from, std::uint64_t end,
                                               std::uint64_t last, history_query query) {
  const auto stream = self->options_.name;
  consumer_config reader;
  reader.filter = subject;
  reader.start = consumer_start::sequence;
  reader.start_sequence = from;
  reader.acknowledged = false;
  reader.inactive_threshold = std::chrono::seconds(10);
  auto store = self->store();
  const auto largest = self->store_->server_info().max_payload;
  const auto consumer = co_await store.create_consumer(stream, reader);

  fetch_options some;
  some.batch = most_in_batch;
  if (end != 0) // not much of what follows
    some.batch = static_cast<std::size_t>(
      std::clamp<std::uint64_t>(end - from + 1, 2, std::min(2 * wanted_of(query), most_in_batch)));
  some.max_bytes = std::max(query.max_bytes, largest + head_room);
  some.expires = duration::zero();
  read_stretch found;
  std::uint64_t latest = 0, number = 0;
  for (bool done = false; !done;) {
    const auto messages = co_await self->store().fetch(stream, consumer.name, some);
    done = messages.empty() || messages.back().pending == 0;
    for (const auto& m : messages) {
      if (m.consumer_sequence != ++number)
        failure{history_errc::store_unavailable, "messages came too late to be read"}.raise();
      latest = m.sequence;
      if (end != 0 && m.sequence >= end) {
        done = true;
        break;
      }
      ++found.read;
      if (m.sequence <= query.after) {
        found.known = true;
        found.before = m.sequence;
        continue;
      }
      const auto headers = m.message.headers();
      found.add({{self->epoch_, m.sequence},
                 0,
                 m.time / 1'000'000,
                 headers ? id_of(headers->get("Nats-Msg-Id")) : std::string{},
                 shared_bytes{m.message.payload}});
      found.keep_newest(query);
    }
  }
  self->store().delete_consumer(stream, consumer.name).add_errback([](const failure&) {
    // It goes by itself after a while.
  });
  // The last one is there, unless all of them were dropped.
  if (latest != 0 && latest < (end != 0 ? std::min(end, last) : last))
    failure{history_errc::store_unavailable, "messages have not come"}.raise();
  co_return found;
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
  auto from = top - lowest > wanted * first_guess ? top - wanted * first_guess : lowest;
  auto all = co_await read_on(self, subject, from, end, page.last, query);
  while (!all.known && from > lowest) {
    const auto upper = from;
    from -= further(from, top - from, all.read, wanted);
    from = std::max(from, lowest);
    all.prepend(co_await read_on(self, subject, from, upper, page.last, query));
    all.keep_newest(query);
  }

  auto& messages = all.messages;
  if (end == 0 && !messages.empty())
    page.last = messages.back().at.sequence;
  const auto& o = self->options_;
  const auto kept = end == 0 ? all.read : page.last; // at most so many of this topic
  const bool whole = from == 1 && query.after == 0 && kept < o.per_topic
                     && o.max_age == duration::zero() && o.max_bytes == 0;
  if (whole) { // nothing can have been dropped
    if (!all.known && !messages.empty())
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
