#include "lease_stream.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <tuple>
#include <utility>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/repeats.hpp>

namespace troupe::detail {

namespace {

constexpr duration retry = std::chrono::milliseconds(500);
constexpr duration id_window =
  std::chrono::seconds(1); // those of writes at the same moment are to be told
constexpr duration doubt = std::chrono::seconds(2);           // whether the stream is not there
constexpr duration doubt_if_known = std::chrono::seconds(30); // though it was there

// These number the copies of a stream differently when they were started again, if writes were refused.
bool is_old_server(const std::string& version) {
  int major = 0, minor = 0, patch = 0;
  return std::sscanf(version.c_str(), "%d.%d.%d", &major, &minor, &patch) == 3
         && std::tie(major, minor, patch) < std::tuple{2, 9, 21};
}

std::uint64_t microseconds_since_1970() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count());
}

} // namespace

void lease_stream::start() {
  rt_.reactor().call_when_running([weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && !self->over_)
      self->connect();
  });
}

void lease_stream::end() {
  over_ = true;
  watched_.clear();
  nats_.reset();
}

void lease_stream::connect() {
  auto options = options_.nats;
  options.ping_interval = std::min<duration>(options.ping_interval, std::chrono::seconds(1));
  options.reconnect.max = std::min<duration>(options.reconnect.max, std::chrono::seconds(1));
  options.reconnect.initial = std::min(options.reconnect.initial, options.reconnect.max);
  options.on_event = [weak = weak_from_this(),
                      also = std::move(options.on_event)](const nats_event& e) {
    if (also)
      also(e);
    if (const auto self = weak.lock(); self && !self->over_)
      self->happened(e);
  };
  nats_ = std::make_unique<nats_connection>(rt_, std::move(options));
  static_cast<void>(nats_->start_service());
  nats_->when_connected(1).add_errback([weak = weak_from_this()](const failure& why) {
    if (const auto self = weak.lock(); self && !self->over_)
      self->lost(why); // it goes on trying
  });
  for (auto& [name, s] : watched_)
    subscribe(name, s);
}

void lease_stream::happened(const nats_event& e) {
  if (e.what == nats_event::kind::connected || e.what == nats_event::kind::reconnected)
    look_for_stream();
  else if (e.what == nats_event::kind::disconnected)
    lost(e.why);
}

void lease_stream::lost(const failure& why) {
  ready_ = false;
  why_not_ = failure{lease_errc::store_unavailable, why.message()};
}

// What the failure of a request says of the store.
failure lease_stream::meaning_of(const failure& why) {
  const bool gone = why.check(nats_errc::stream_not_found)
                    || why.check(nats_errc::jetstream_unavailable)
                    || why.check(nats_errc::no_responders);
  if (gone && !over_) { // it may have been removed
    lost(why);
    look_for_stream();
  }
  if (gone || why.check(errc::connection_lost) || why.check(errc::not_connected))
    return failure{lease_errc::store_unavailable, why.message()};
  return why;
}

// -- which stream it is ---------------------------------------------------------------------------

stream_config lease_stream::config() const {
  stream_config c;
  c.name = options_.name;
  c.subjects = {options_.name + ".held.*.*"};
  c.storage = options_.storage;
  c.max_messages_per_subject = 1;
  c.replicas = options_.replicas;
  c.duplicate_window = id_window;
  return c;
}

// Makes the stream, if it is not there.
void lease_stream::look_for_stream() {
  if (std::exchange(looking_, true))
    return;
  jetstream{*nats_, settings()}
    .get_stream(options_.name)
    .add_both([weak = weak_from_this()](outcome<stream_info> got) {
      const auto self = weak.lock();
      if (!self || self->over_)
        return;
      if (got || !got.error().check(nats_errc::stream_not_found))
        return self->have_looked(std::move(got));
      jetstream{*self->nats_, self->settings()}
        .create_stream(self->config(), self->base_ == 0 ? doubt : doubt_if_known)
        .add_both([weak](outcome<stream_info> made) {
          if (const auto there = weak.lock(); there && !there->over_)
            there->have_looked(std::move(made));
        });
    });
}

void lease_stream::have_looked(outcome<stream_info> got) {
  const auto c = config();
  const bool other =
    got ? got->config.subjects != c.subjects || got->config.max_messages_per_subject != 1
        : got.error().check(nats_errc::stream_exists);
  if (other)
    got = failure{lease_errc::wrong_store,
                  "the stream " + options_.name
                    + " is there with another configuration; choose another name, or change the "
                      "one or the other"};
  if (!got)
    return have_base(got.error());
  base_of(*got).add_both([weak = weak_from_this()](outcome<std::uint64_t> base) {
    if (const auto self = weak.lock(); self && !self->over_)
      self->have_base(std::move(base));
  });
}

void lease_stream::have_base(outcome<std::uint64_t> got) {
  looking_ = false;
  if (got) {
    made_anew_ = made_anew_ || (base_ != 0 && base_ != *got);
    base_ = *got;
    ready_ = nats_->connected();
    const auto& version = nats_->server_info().version;
    if (options_.replicas > 1 && is_old_server(version) && !std::exchange(warned_, true))
      rt_.repeats().note("old server of leases " + options_.name, log_level::warn, [&] {
        return "leases " + options_.name + ": nats-server " + version
               + " may number the copies of a stream differently, so tokens may be given twice; "
                 "take 2.9.21 or later, or one copy";
      });
    return;
  }
  lost(got.error());
  if (got.error().check(lease_errc::wrong_store))
    why_not_ = got.error();
  if (nats_->connected())
    rt_.reactor().call_later(retry, [weak = weak_from_this()] {
      if (const auto still = weak.lock(); still && !still->over_ && !still->ready_)
        still->look_for_stream();
    });
}

// Revisions go on from a number that is above all revisions of a stream that was there before: when this one was made. It is kept in the
// stream itself, for servers may not agree about that time, and it stays the same where all that was in the stream is lost.
std::string lease_stream::base_subject() const {
  return options_.name + ".held.0.made";
}

deferred<std::uint64_t> lease_stream::read_base() {
  return jetstream{*nats_, settings()}
    .get_last_message(options_.name, base_subject())
    .add_callback([](const stored_message& m) -> outcome<std::uint64_t> {
      std::uint64_t base = 0;
      const auto* const end = m.payload.data() + m.payload.size();
      if (std::from_chars(m.payload.data(), end, base).ptr != end || base == 0)
        return failure{lease_errc::wrong_store,
                       "the message at " + m.subject + " is no time; remove it"};
      return base;
    });
}

// Of several that write it the first one decides.
deferred<std::uint64_t> lease_stream::write_base(std::uint64_t base) {
  jetstream_publish_options expects;
  expects.expected_last_subject_sequence = 0;
  expects.expected_stream = options_.name;
  return jetstream{*nats_, settings()}
    .publish(base_subject(), std::to_string(base), expects)
    .add_both(
      [self = shared_from_this(), base](outcome<publish_ack> got) -> deferred<std::uint64_t> {
        if (self->over_)
          return fail<std::uint64_t>(failure{lease_errc::store_unavailable});
        if (got ? got->duplicate : got.error().check(nats_errc::wrong_last_sequence))
          return self->read_base();
        return got ? succeed(std::uint64_t{base}) : fail<std::uint64_t>(got.error());
      });
}

deferred<std::uint64_t> lease_stream::base_of(const stream_info& stream) {
  return read_base().add_both(
    [self = shared_from_this(), made = microseconds_of_time(stream.created),
     is_empty = stream.messages == 0](outcome<std::uint64_t> got) -> deferred<std::uint64_t> {
      if (self->over_)
        return fail<std::uint64_t>(failure{lease_errc::store_unavailable});
      if (got)
        return succeed(std::uint64_t{*got});
      if (!got.error().check(nats_errc::message_not_found))
        return fail<std::uint64_t>(got.error());
      if (!made)
        return fail<std::uint64_t>(
          failure{errc::malformed_input, "the time at which the stream was made"});
      // One that is in use is of an earlier version, which goes by that time; one that is empty, or that we know, has lost all.
      if (!is_empty && *made > self->base_)
        return self->write_base(*made);
      return self->write_base(std::max({*made, microseconds_since_1970(), self->base_ + 1}));
    });
}

// Fails unless the stream is still the one with that base.
deferred<void> lease_stream::still(std::uint64_t base) {
  if (over_ || !ready_)
    return fail<void>(why_not_);
  return read_base().add_both(
    [self = shared_from_this(), base](outcome<std::uint64_t> got) -> outcome<void> {
      if (self->over_)
        return failure{lease_errc::store_unavailable};
      if (got && *got == base)
        return {};
      if (!got && !got.error().check(nats_errc::message_not_found))
        return self->meaning_of(got.error());
      const failure anew{lease_errc::store_unavailable, "the stream was made anew"};
      self->lost(anew);
      self->look_for_stream();
      return anew;
    });
}

jetstream_options lease_stream::settings() const {
  jetstream_options o;
  o.timeout = options_.timeout;
  return o;
}

} // namespace troupe::detail
