#include <chrono>
#include <random>
#include <utility>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/reactor.hpp>

#include "lease_stream.hpp"
#include "lease_text.hpp"

namespace troupe::detail {

namespace {

constexpr unsigned most_apart = 20; // milliseconds

} // namespace

deferred<lease_record> lease_stream::read(std::string_view name) {
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
      auto record = lease_of_text(got->payload);
      if (!record)
        return fail<lease_record>(
          failure{lease_errc::wrong_store, "the message at " + got->subject + " of the stream "
                                             + self->options_.name + " is no lease; remove it"});
      record->revision = base + got->sequence;
      return succeed(*std::move(record));
    });
}

deferred<std::uint64_t> lease_stream::write(std::string_view name, const lease_record& record) {
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
    .publish(held_subject(name), lease_text(record), expects)
    .add_both([self = shared_from_this(), base = base_, is_first, is_free = record.holder.empty(),
               name = std::string{name}](outcome<publish_ack> got) -> deferred<std::uint64_t> {
      if (got ? got->duplicate
              : got.error().check(nats_errc::wrong_last_sequence)
                  || got.error().check(nats_errc::id_in_process))
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

lease_record lease_stream::nothing() const {
  if (!made_anew_)
    return {.revision = base_};
  return {.revision = base_,
          .holder = "somebody, before the stream was made anew,",
          .ttl = options_.settle};
}

void lease_stream::watch(std::string_view name, bool on) {
  if (!on)
    return void(watched_.erase(std::string{name}));
  auto& s = watched_[std::string{name}];
  if (nats_ != nullptr)
    subscribe(std::string{name}, s);
}

void lease_stream::subscribe(const std::string& name, nats_subscription& into) {
  into =
    nats_->subscribe(free_subject(name), [weak = weak_from_this(), name](const nats_message_view&) {
      const auto self = weak.lock();
      if (!self || self->over_)
        return;
      // All who wait hear of it at the same moment. Where there are copies, some milliseconds by chance keep them from writing in the same.
      const auto span = std::chrono::milliseconds(
        self->options_.replicas > 1 ? std::random_device{}() % most_apart : 0);
      self->rt_.reactor().call_later(span, [weak, name] {
        if (const auto still = weak.lock(); still && !still->over_)
          still->freed_(name);
      });
    });
}

// The stream's base is a part of these: what was read or written in an earlier one means nothing in this one.
std::string lease_stream::held_subject(std::string_view name) const {
  return options_.name + ".held." + std::to_string(base_) + '.' + lease_token(name);
}
std::string lease_stream::free_subject(std::string_view name) const {
  return options_.name + ".free." + lease_token(name);
}

} // namespace troupe::detail
