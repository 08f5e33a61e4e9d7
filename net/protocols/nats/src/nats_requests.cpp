// The requests of a connection: they share one subscription, and tell their answers by the last token of the subject.

#include <algorithm>
#include <charconv>

#include <troupe/nats/nats_encoder.hpp>
#include <troupe/runtime/detail/deferred_timeout.hpp>

#include "nats_core.hpp"
#include "nats_wire.hpp"

namespace troupe::detail {

namespace {

constexpr int base = 36;
constexpr std::uint16_t no_responders_status = 503;

void append_token(std::string& out, std::uint64_t token) {
  char digits[16];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, token, base).ptr);
}

} // namespace

void nats_core::ensure_inbox() {
  if (inbox_sid_ != 0)
    return;
  inbox_sid_ = ++latest_sid_;
  if (wire_ == nullptr)
    return;
  std::string out;
  nats_encoder::append_subscribe(out, inbox_ + '*', {}, inbox_sid_);
  wire_->write(out);
}

std::string nats_core::new_inbox() {
  // Below the prefix of this connection, and not one of the answers' tokens, for these have one token less.
  auto made = inbox_ + "sub.";
  append_token(made, ++latest_token_);
  return made;
}

deferred<nats_message> nats_core::request(std::string_view subject, std::string_view payload,
                                          const nats_request_options& options,
                                          const source_location& where) {
  if (closed_ || draining_)
    return fail<nats_message>(failure{errc::not_connected, "it is stopped"});
  if (requests_.size() >= options_.max_requests)
    return fail<nats_message>(failure{errc::queue_overflow, "too many requests wait"});
  ensure_inbox();
  const auto token = ++latest_token_;
  auto& a = requests_.try_emplace(token, *this, token).first->second;
  auto result = a.answer.get_deferred();
  auto reply = inbox_;
  append_token(reply, token);
  if (const auto code =
        publish(subject, payload, reply,
                options.headers.empty() ? std::string{} : options.headers.block(), token)) {
    take_request(token, failure{code, std::string{subject.substr(0, 200)}});
    return result;
  }
  a.sent = wire_ != nullptr;
  if (options.timeout != duration::max())
    a.limit.start(clock_, std::max(duration::zero(), options.timeout),
                  [weak = weak_from_this(), token, timeout = options.timeout, where,
                   subject = std::string{subject}] {
                    const auto core = weak.lock();
                    if (!core)
                      return;
                    core->take_request(
                      token, timed_out(core->connected()
                                         ? "a request to " + subject
                                         : "a request to " + subject + " without a connection",
                                       timeout, where));
                  });
  return result;
}

void nats_core::take_request(std::uint64_t token, outcome<nats_message> result) {
  const auto self = shared_from_this();
  const auto found = requests_.find(token);
  if (found == requests_.end())
    return;
  auto answer = std::move(found->second.answer);
  requests_.erase(found);
  no_request_left();
  if (!answer.called())
    answer.fire(std::move(result));
}

void nats_core::cancelled(std::uint64_t token) {
  const auto self = shared_from_this();
  if (const auto node = requests_.extract(token))
    no_request_left();
}

void nats_core::no_request_left() {
  if (requests_.empty())
    for (auto& p : std::exchange(idle_, {}))
      if (!p.called())
        p.callback();
}

void nats_core::answered(const nats_message_view& message) {
  std::uint64_t token = 0;
  auto last = message.subject;
  if (last.size() <= inbox_.size())
    return;
  last.remove_prefix(inbox_.size());
  const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), token, base);
  if (error != std::errc{} || end != last.data() + last.size() || !requests_.contains(token)) {
    ++counts_.late_answers;
    return;
  }
  if (message.payload.empty() && message.status() == no_responders_status)
    return take_request(token, failure{make_error_code(nats_errc::no_responders)});
  take_request(token, nats_message{message});
}

void nats_core::fail_requests(const failure& why, bool all) {
  std::vector<std::uint64_t> tokens;
  for (const auto& [token, a] : requests_)
    if (all || a.sent)
      tokens.push_back(token);
  std::sort(tokens.begin(), tokens.end());
  const auto reason =
    all || why.check(errc::connection_lost) ? why : failure{errc::connection_lost, why.message()};
  for (const auto token : tokens)
    take_request(token, reason);
}

} // namespace troupe::detail
