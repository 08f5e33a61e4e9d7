// The subscriptions of a connection: their beginning and end, and the messages that they get.

#include "nats_core.hpp"

#include <stdexcept>
#include <utility>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <troupe/nats/nats_encoder.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/nats/nats_subject.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

#include "nats_wire.hpp"

namespace troupe::detail {

nats_subscription nats_core::subscribe(std::string_view pattern,
                                       const nats_subscribe_options& options,
                                       std::function<void(const nats_message_view&)> fn,
                                       caf::strong_actor_ptr actor) {
  if (!valid_nats_pattern(pattern))
    throw std::invalid_argument("nats_connection::subscribe: this cannot be a pattern of subjects");
  if (!options.queue.empty() && !valid_nats_queue(options.queue))
    throw std::invalid_argument(
      "nats_connection::subscribe: this cannot be the name of a queue group");
  if (draining_)
    throw std::logic_error("nats_connection::subscribe: it is drained");
  const auto s = std::make_shared<nats_subscribed>();
  s->sid = ++latest_sid_;
  s->pattern = pattern;
  s->options = options;
  s->fn = std::move(fn);
  s->actor = std::move(actor);
  subscriptions_.emplace(s->sid, s);
  if (wire_ != nullptr) {
    scratch_.clear();
    nats_encoder::append_subscribe(scratch_, s->pattern, s->options.queue, s->sid);
    if (options.max_messages != 0)
      nats_encoder::append_unsubscribe(scratch_, s->sid, options.max_messages);
    wire_->write(scratch_);
  }
  if (s->actor)
    s->actor->get()->attach_functor(
      [weak = weak_from_this(), &loop = loop_, which = std::weak_ptr{s}](const caf::error&) {
        loop.post([weak, which] {
          const auto core = weak.lock();
          if (const auto ended = which.lock(); core && ended)
            core->unsubscribe(ended, errc::actor_down);
        });
      });
  return {weak_from_this(), s};
}

void nats_core::unsubscribe(const subscribed& s, const failure& why) {
  if (!s->active)
    return;
  const auto self = shared_from_this();
  const auto kept_alive = s;
  if (wire_ != nullptr) {
    scratch_.clear();
    nats_encoder::append_unsubscribe(scratch_, s->sid);
    wire_->write(scratch_);
  }
  for (const auto& m : std::exchange(s->queue, {}))
    s->pending->remove(m.size());
  finish(kept_alive, why);
}

// It gets nothing any more; what it has is still there to be taken.
void nats_core::finish(const subscribed& s, const failure& why) {
  const auto alive = s;
  subscriptions_.erase(alive->sid);
  alive->active = false;
  alive->actor = nullptr;
  for (auto& p : std::exchange(alive->waiting, {}))
    if (!p.called())
      p.errback(why);
}

deferred<void> nats_core::drain(const subscribed& s) {
  if (!s->active)
    return succeed();
  const auto self = shared_from_this();
  if (wire_ == nullptr) {
    finish(s, errc::connection_done);
    return succeed();
  }
  scratch_.clear();
  nats_encoder::append_unsubscribe(scratch_, s->sid);
  wire_->write(scratch_);
  return round_trip().add_both([self, s](outcome<void> how) {
    if (s->active)
      self->finish(s, errc::connection_done);
    return how;
  });
}

deferred<nats_message> nats_core::next(const subscribed& s) {
  if (!s->queue.empty()) {
    auto m = std::move(s->queue.front());
    s->queue.pop_front();
    s->pending->remove(m.size());
    if (s->slow && s->queue.size() <= s->options.max_pending_messages / 2)
      s->slow = false;
    return succeed(std::move(m));
  }
  if (s->refused)
    return fail<nats_message>(s->refused);
  if (!s->active)
    return fail<nats_message>(errc::connection_done);
  std::erase_if(s->waiting,
                [](const promise<nats_message>& p) { return p.called() || !p.awaited(); });
  s->waiting.emplace_back();
  return s->waiting.back().get_deferred();
}

void nats_core::deliver(std::uint64_t sid, const nats_message_view& message) {
  ++counts_.messages_received;
  counts_.bytes_received += message.size();
  if (sid == inbox_sid_ && sid != 0)
    return answered(message);
  const auto found = subscriptions_.find(sid);
  if (found == subscriptions_.end())
    return; // it was on its way when the subscription ended
  const auto s = found->second;
  const bool last = ++s->received == s->options.max_messages; // 0 is never reached
  hand_over(s, message);
  if (last && s->active)
    finish(s, errc::connection_done);
}

void nats_core::hand_over(const subscribed& s, const nats_message_view& message) {
  if (s->fn) {
    ++s->delivered;
    try {
      s->fn(message);
    } catch (...) {
      log_exception(loop_.scheduler().logger(), "nats subscription " + s->pattern,
                    "a function of nats_connection::subscribe");
    }
  } else if (s->actor) {
    to_actor(*s, message);
  } else {
    to_queue(*s, message);
  }
}

bool nats_core::has_room(nats_subscribed& s, std::size_t size) {
  const auto messages = s.pending->messages.load(std::memory_order_relaxed);
  const auto bytes = s.pending->bytes.load(std::memory_order_relaxed);
  if (messages < s.options.max_pending_messages && bytes + size <= s.options.max_pending_bytes) {
    if (s.slow && messages <= s.options.max_pending_messages / 2
        && bytes <= s.options.max_pending_bytes / 2)
      s.slow = false;
    return true;
  }
  ++s.dropped;
  ++counts_.dropped;
  if (!std::exchange(s.slow, true))
    announce(nats_event::kind::slow_consumer, s.pattern, make_error_code(nats_errc::slow_consumer));
  return false;
}

void nats_core::to_queue(nats_subscribed& s, const nats_message_view& message) {
  while (!s.waiting.empty()) {
    auto p = std::move(s.waiting.front());
    s.waiting.pop_front();
    if (p.called() || !p.awaited())
      continue;
    ++s.delivered;
    p.callback(nats_message{message});
    return;
  }
  if (!has_room(s, message.size()))
    return;
  ++s.delivered;
  s.pending->add(message.size());
  s.queue.emplace_back(message);
}

void nats_core::to_actor(nats_subscribed& s, const nats_message_view& message) {
  const auto size = message.size();
  if (!has_room(s, size))
    return;
  ++s.delivered;
  s.pending->add(size);
  nats_message owned{message};
  owned.hold({static_cast<const void*>(s.pending.get()), [pending = s.pending, size](const void*) {
                pending->remove(size);
              }});
  caf::anon_send(caf::actor_cast<caf::actor>(s.actor), std::move(owned));
}

} // namespace troupe::detail
