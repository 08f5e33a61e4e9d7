#include <troupe/jetstream_leases/jetstream_leases.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include <troupe/leases/lease_errc.hpp>
#include <troupe/nats/jetstream.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "lease_text.hpp"

namespace troupe {

namespace {

constexpr duration retry = std::chrono::milliseconds(500);
constexpr duration doubt = std::chrono::seconds(2);           // whether the stream is not there
constexpr duration doubt_if_known = std::chrono::seconds(30); // though it was there

std::uint64_t microseconds_since_1970() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count());
}

/// The connection, the stream, and what is read and written there.
class lease_stream final : public std::enable_shared_from_this<lease_stream> {
public:
  lease_stream(runtime& rt, const jetstream_leases_options& options,
               std::function<void(std::string_view)> freed)
    : rt_(rt), options_(options), freed_(std::move(freed)) {}

  void start() {
    rt_.reactor().call_when_running([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && !self->over_)
        self->connect();
    });
  }

  void end() {
    over_ = true;
    watched_.clear();
    nats_.reset();
  }

  deferred<lease_record> read(std::string_view name) {
    if (!ready_)
      return fail<lease_record>(why_not_);
    return jetstream{*nats_, settings()}
      .get_last_message(options_.name, held_subject(name))
      .add_both([self = shared_from_this(),
                 base = base_](outcome<stored_message> got) -> deferred<lease_record> {
        if (!got && got.error().check(nats_errc::message_not_found))
          return self->still(base).add_callback([self] { return self->nothing(); });
        if (!got)
          return fail<lease_record>(self->meaning_of(got.error()));
        auto record = detail::lease_of_text(got->payload);
        if (!record)
          return fail<lease_record>(
            failure{lease_errc::wrong_store, "the message at " + got->subject + " of the stream "
                                               + self->options_.name + " is no lease; remove it"});
        record->revision = base + got->sequence;
        return succeed(*std::move(record));
      });
  }

  deferred<std::uint64_t> write(std::string_view name, const lease_record& record) {
    if (!ready_)
      return fail<std::uint64_t>(why_not_);
    if (record.revision < base_) // of a stream that is gone
      return fail<std::uint64_t>(failure{lease_errc::conflict});
    jetstream_publish_options expects;
    expects.expected_last_subject_sequence = record.revision - base_;
    expects.expected_stream = options_.name;
    const bool is_first = record.revision == base_;
    // Of several that come at the same moment, servers before 2.9.21 keep all that expect the right one, but one with an id.
    if (!is_first)
      expects.id = held_subject(name) + '/' + std::to_string(record.revision);
    return jetstream{*nats_, settings()}
      .publish(held_subject(name), detail::lease_text(record), expects)
      .add_both([self = shared_from_this(), base = base_, is_first, is_free = record.holder.empty(),
                 name = std::string{name}](outcome<publish_ack> got) -> deferred<std::uint64_t> {
        if (got ? got->duplicate : got.error().check(nats_errc::wrong_last_sequence))
          return fail<std::uint64_t>(failure{lease_errc::conflict});
        if (!got)
          return fail<std::uint64_t>(self->meaning_of(got.error()));
        if (is_free && self->nats_ != nullptr)
          static_cast<void>(self->nats_->publish(self->free_subject(name), {}));
        const auto revision = base + got->sequence;
        if (is_first) // it would also be in a stream that was made meanwhile
          return self->still(base).add_callback([revision] { return revision; });
        return succeed(std::uint64_t{revision});
      });
  }

  void watch(std::string_view name, bool on) {
    if (!on)
      return void(watched_.erase(std::string{name}));
    auto& s = watched_[std::string{name}];
    if (nats_ != nullptr)
      subscribe(std::string{name}, s);
  }

private:
  void connect() {
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

  void happened(const nats_event& e) {
    if (e.what == nats_event::kind::connected || e.what == nats_event::kind::reconnected)
      look_for_stream();
    else if (e.what == nats_event::kind::disconnected)
      lost(e.why);
  }

  void lost(const failure& why) {
    ready_ = false;
    why_not_ = failure{lease_errc::store_unavailable, why.message()};
  }

  [[nodiscard]] stream_config config() const {
    stream_config c;
    c.name = options_.name;
    c.subjects = {options_.name + ".held.*.*"};
    c.storage = options_.storage;
    c.max_messages_per_subject = 1;
    c.replicas = options_.replicas;
    return c;
  }

  // Makes the stream, if it is not there.
  void look_for_stream() {
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

  void have_looked(outcome<stream_info> got) {
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

  void have_base(outcome<std::uint64_t> got) {
    looking_ = false;
    if (got) {
      made_anew_ = made_anew_ || (base_ != 0 && base_ != *got);
      base_ = *got;
      ready_ = nats_->connected();
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
  [[nodiscard]] std::string base_subject() const { return options_.name + ".held.0.made"; }

  deferred<std::uint64_t> read_base() {
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
  deferred<std::uint64_t> write_base(std::uint64_t base) {
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

  deferred<std::uint64_t> base_of(const stream_info& stream) {
    return read_base().add_both(
      [self = shared_from_this(), made = microseconds_of_time(stream.created)](
        outcome<std::uint64_t> got) -> deferred<std::uint64_t> {
        if (self->over_)
          return fail<std::uint64_t>(failure{lease_errc::store_unavailable});
        if (got)
          return succeed(std::uint64_t{*got});
        if (!got.error().check(nats_errc::message_not_found))
          return fail<std::uint64_t>(got.error());
        if (!made)
          return fail<std::uint64_t>(
            failure{errc::malformed_input, "the time at which the stream was made"});
        return self->write_base(*made > self->base_ ? *made : microseconds_since_1970());
      });
  }

  // Fails unless the stream is still the one with that base.
  deferred<void> still(std::uint64_t base) {
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

  lease_record nothing() const {
    if (!made_anew_)
      return {.revision = base_};
    return {.revision = base_,
            .holder = "somebody, before the stream was made anew,",
            .ttl = options_.settle};
  }

  // What the failure of a request says of the store.
  failure meaning_of(const failure& why) {
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

  void subscribe(const std::string& name, nats_subscription& into) {
    into = nats_->subscribe(free_subject(name),
                            [weak = weak_from_this(), name](const nats_message_view&) {
                              if (const auto self = weak.lock(); self && !self->over_)
                                self->rt_.reactor().call_from_thread([weak, name] {
                                  if (const auto still = weak.lock(); still && !still->over_)
                                    still->freed_(name);
                                });
                            });
  }

  // The stream's base is a part of these: what was read or written in an earlier one means nothing in this one.
  [[nodiscard]] std::string held_subject(std::string_view name) const {
    return options_.name + ".held." + std::to_string(base_) + '.' + detail::lease_token(name);
  }
  [[nodiscard]] std::string free_subject(std::string_view name) const {
    return options_.name + ".free." + detail::lease_token(name);
  }
  [[nodiscard]] jetstream_options settings() const {
    jetstream_options o;
    o.timeout = options_.timeout;
    return o;
  }

  runtime& rt_;
  const jetstream_leases_options options_;
  const std::function<void(std::string_view)> freed_;
  std::unique_ptr<nats_connection> nats_;
  std::map<std::string, nats_subscription, std::less<>> watched_;
  failure why_not_{lease_errc::store_unavailable, "not connected yet"};
  std::uint64_t base_ = 0;
  bool ready_ = false;
  bool looking_ = false;
  bool made_anew_ = false;
  bool over_ = false;
};

class jetstream_lease_link final : public lease_link {
public:
  explicit jetstream_lease_link(std::shared_ptr<lease_stream> of) : of_(std::move(of)) {}
  ~jetstream_lease_link() override { of_->end(); }
  deferred<lease_record> read(std::string_view name) override { return of_->read(name); }
  deferred<std::uint64_t> write(std::string_view name, const lease_record& record) override {
    return of_->write(name, record);
  }
  void watch(std::string_view name, bool on) override { of_->watch(name, on); }

private:
  const std::shared_ptr<lease_stream> of_;
};

} // namespace

jetstream_leases::jetstream_leases(jetstream_leases_options options)
  : options_(std::move(options)) {
  const auto& name = options_.name;
  if (name.empty() || name.size() > 64 || name != detail::lease_token(name))
    throw std::invalid_argument("jetstream_leases_options: a stream's name has 1 to 64 letters, "
                                "digits, - and _");
  if (options_.timeout <= duration::zero() || options_.settle < duration::zero())
    throw std::invalid_argument(
      "jetstream_leases_options: timeout is longer than 0, and settle not shorter");
}

jetstream_leases::~jetstream_leases() = default;

std::string jetstream_leases::name() const {
  return "jetstream " + options_.name;
}

std::unique_ptr<lease_link> jetstream_leases::attach(runtime& rt,
                                                     std::function<void(std::string_view)> freed) {
  auto made = std::make_shared<lease_stream>(rt, options_, std::move(freed));
  made->start();
  return std::make_unique<jetstream_lease_link>(std::move(made));
}

} // namespace troupe
