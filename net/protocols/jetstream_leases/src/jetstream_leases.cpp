#include <troupe/jetstream_leases/jetstream_leases.hpp>

#include <algorithm>
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
    // Of several that come at the same moment, servers before 2.9.21 keep all that expect the right one, but one with an id.
    expects.id = held_subject(name) + '/' + std::to_string(record.revision);
    const bool is_first = record.revision == base_;
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
    looking_ = false;
    const auto c = config();
    const bool other =
      got ? got->config.subjects != c.subjects || got->config.max_messages_per_subject != 1
          : got.error().check(nats_errc::stream_exists);
    if (got && !other && found(*got))
      return;
    if (got && !other) {
      lost(failure{errc::malformed_input, "the time at which the stream was made"});
    } else if (other) {
      ready_ = false;
      why_not_ =
        failure{lease_errc::wrong_store,
                "the stream " + options_.name
                  + " is there with another configuration; choose another name, or change the "
                    "one or the other"};
    } else {
      lost(got.error());
    }
    if (nats_->connected())
      rt_.reactor().call_later(retry, [weak = weak_from_this()] {
        if (const auto still = weak.lock(); still && !still->over_ && !still->ready_)
          still->look_for_stream();
      });
  }

  // Revisions go on from when the stream was made: above those of one that was there before.
  bool found(const stream_info& stream) {
    const auto made = microseconds_of_time(stream.created);
    if (!made)
      return false;
    made_anew_ = made_anew_ || (base_ != 0 && base_ != *made);
    base_ = *made;
    ready_ = nats_->connected();
    return true;
  }

  // Fails unless the stream is the one that was made then.
  deferred<void> still(std::uint64_t base) {
    if (over_ || !ready_)
      return fail<void>(why_not_);
    return jetstream{*nats_, settings()}
      .get_stream(options_.name)
      .add_both([self = shared_from_this(), base](outcome<stream_info> got) -> outcome<void> {
        if (self->over_)
          return failure{lease_errc::store_unavailable};
        if (!got)
          return self->meaning_of(got.error());
        if (!self->found(*got) || self->base_ != base)
          return failure{lease_errc::store_unavailable, "the stream was made anew"};
        return {};
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

  // When the stream was made is a part of these: what was read or written in an earlier one means nothing in this one.
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
