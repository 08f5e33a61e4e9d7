#include <troupe/nats/jetstream.hpp>

#include <algorithm>
#include <utility>

#include <troupe/nats/nats_subject.hpp>
#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>

#include "jetstream_json.hpp"

namespace troupe {

namespace json = detail::jetstream_json;

namespace {

// For the server's word that its time is over. Messages that come are such a word, too.
constexpr duration grace = std::chrono::seconds(1);

// Returns whether `name` can be that of a stream or a consumer: one token of a subject.
bool valid_name(std::string_view name) noexcept {
  return valid_nats_subject(name) && name.find_first_of(".*>/\\") == std::string_view::npos;
}

failure bad_name(std::string_view name) {
  return {errc::invalid_argument, "\"" + std::string{name.substr(0, 100)} + "\" cannot be a name"};
}

// Nobody who answers is JetStream that is not there.
failure explained(const failure& why) {
  return why.check(nats_errc::no_responders)
           ? failure{make_error_code(nats_errc::jetstream_unavailable), "nobody answers"}
           : why;
}

/// The messages of one `fetch`.
class batch : public std::enable_shared_from_this<batch> {
public:
  deferred<std::vector<jetstream_message>> begin(nats_connection& nats, const std::string& subject,
                                                 const fetch_options& o) {
    auto result = done_.get_deferred();
    wanted_ = o.batch;
    const auto inbox = nats.new_inbox();
    subscription_ = nats.subscribe(inbox, [weak = weak_from_this()](const nats_message_view& m) {
      if (const auto self = weak.lock())
        self->received(m);
    });
    if (const auto code = nats.publish(subject, json::text_of(o), {.reply = inbox})) {
      finish(code);
      return result;
    }
    watch(nats.time(), saturating_add(std::max(o.expires, duration::zero()), grace));
    return result;
  }

private:
  // Who waits for the time is what keeps this. As long as messages come, it is not over: what comes behind the end of a
  // fetch is lost.
  void watch(clock& time, duration span) {
    limit_.start(time, span, [self = shared_from_this(), &time] {
      if (std::exchange(self->came_, false) && !self->done_.called())
        return self->watch(time, grace);
      self->finish(self->heard_ ? failure{}
                                : failure{errc::timed_out, "nobody answers for this consumer"});
    });
  }

  void received(const nats_message_view& m) {
    const auto self = shared_from_this();
    heard_ = came_ = true;
    if (done_.called())
      return finish({}); // cancelled
    switch (m.status()) {
    case 0:
      break;
    case 100: // it is still there
      return;
    case 404: // there is no message
    case 408: // its time is over
      return finish({});
    case 503:
      return finish(make_error_code(nats_errc::consumer_not_found));
    default: {
      const auto h = m.headers();
      const auto text = h ? h->description() : std::string{};
      const bool gone = text.find("eleted") != std::string::npos;
      return finish(
        {make_error_code(gone ? nats_errc::consumer_not_found : nats_errc::jetstream_error), text});
    }
    }
    jetstream_message one;
    one.message = nats_message{m};
    if (!json::read_ack_subject(m.reply, one))
      return finish({errc::malformed_input, "a message that no consumer has sent"});
    got_.push_back(std::move(one));
    if (got_.size() >= wanted_)
      finish({});
  }

  // What has come is given, whatever happened then.
  void finish(const failure& why) {
    const auto self = shared_from_this();
    limit_.cancel();
    subscription_ = {};
    if (done_.called())
      return;
    if (why && got_.empty())
      done_.errback(why);
    else
      done_.callback(std::exchange(got_, {}));
  }

  promise<std::vector<jetstream_message>> done_;
  std::size_t wanted_ = 0;
  bool heard_ = false; // anything at all
  bool came_ = false;  // anything, since it was looked at last
  std::vector<jetstream_message> got_;
  nats_subscription subscription_;
  detail::tracked_call limit_;
};

} // namespace

deferred<std::string> jetstream::ask(const std::string& call, std::string_view name,
                                     std::string_view second, std::string body) {
  if (!valid_name(name))
    return fail<std::string>(bad_name(name));
  auto subject = options_.prefix + '.' + call + '.' + std::string{name};
  if (!second.empty()) {
    if (!valid_name(second))
      return fail<std::string>(bad_name(second));
    (subject += '.') += second;
  }
  return nats_->request(subject, body, {.timeout = options_.timeout})
    .add_callbacks([](nats_message m) { return outcome<std::string>{std::move(m.payload)}; },
                   [](const failure& why) { return outcome<std::string>{explained(why)}; });
}

deferred<stored_message> jetstream::get_message(std::string_view stream, std::uint64_t sequence) {
  return ask("STREAM.MSG.GET", stream, {}, "{\"seq\":" + std::to_string(sequence) + '}')
    .add_callback([](const std::string& answer) { return json::message_of(answer); });
}

deferred<stored_message> jetstream::get_last_message(std::string_view stream,
                                                     std::string_view subject) {
  return ask("STREAM.MSG.GET", stream, {}, "{\"last_by_subj\":" + json::quoted(subject) + '}')
    .add_callback([](const std::string& answer) { return json::message_of(answer); });
}

deferred<stored_message> jetstream::get_next_message(std::string_view stream,
                                                     std::string_view subject,
                                                     std::uint64_t sequence) {
  return ask("STREAM.MSG.GET", stream, {},
             "{\"seq\":" + std::to_string(sequence) + ",\"next_by_subj\":" + json::quoted(subject)
               + '}')
    .add_callback([](const std::string& answer) { return json::message_of(answer); });
}

deferred<publish_ack> jetstream::publish(std::string_view subject, std::string_view payload,
                                         const jetstream_publish_options& options) {
  auto headers = options.headers;
  if (!options.id.empty())
    headers.set("Nats-Msg-Id", options.id);
  if (!options.expected_stream.empty())
    headers.set("Nats-Expected-Stream", options.expected_stream);
  if (options.expected_last_sequence)
    headers.set("Nats-Expected-Last-Sequence", std::to_string(*options.expected_last_sequence));
  if (options.expected_last_subject_sequence)
    headers.set("Nats-Expected-Last-Subject-Sequence",
                std::to_string(*options.expected_last_subject_sequence));
  return nats_
    ->request(
      subject, payload,
      {.headers = std::move(headers), .timeout = options.timeout.value_or(options_.timeout)})
    .add_callbacks([](const nats_message& m) { return json::ack_of(m.payload); },
                   [](const failure& why) { return outcome<publish_ack>{explained(why)}; });
}

deferred<consumer_info> jetstream::create_consumer(std::string_view stream,
                                                   const consumer_config& config) {
  return (config.name.empty()
            ? ask("CONSUMER.CREATE", stream, {}, json::text_of(stream, config))
            : ask("CONSUMER.DURABLE.CREATE", stream, config.name, json::text_of(stream, config)))
    .add_callback([](const std::string& answer) { return json::consumer_of(answer); });
}

deferred<consumer_info> jetstream::get_consumer(std::string_view stream,
                                                std::string_view consumer) {
  if (!valid_name(consumer))
    return fail<consumer_info>(bad_name(consumer));
  return ask("CONSUMER.INFO", stream, consumer, {}).add_callback([](const std::string& answer) {
    return json::consumer_of(answer);
  });
}

deferred<void> jetstream::delete_consumer(std::string_view stream, std::string_view consumer) {
  if (!valid_name(consumer))
    return fail(bad_name(consumer));
  return ask("CONSUMER.DELETE", stream, consumer, {}).add_callback([](const std::string& answer) {
    return json::success_of(answer);
  });
}

deferred<std::vector<jetstream_message>>
jetstream::fetch(std::string_view stream, std::string_view consumer, const fetch_options& options) {
  using messages = std::vector<jetstream_message>;
  if (!valid_name(stream) || !valid_name(consumer))
    return fail<messages>(bad_name(valid_name(stream) ? consumer : stream));
  if (options.batch == 0)
    return fail<messages>(failure{errc::invalid_argument, "fetch_options::batch is 0"});
  return std::make_shared<batch>()->begin(*nats_,
                                          options_.prefix + ".CONSUMER.MSG.NEXT."
                                            + std::string{stream} + '.' + std::string{consumer},
                                          options);
}

std::error_code jetstream::ack(const jetstream_message& m) {
  return nats_->publish(m.message.reply, "+ACK");
}

deferred<void> jetstream::ack_sync(const jetstream_message& m) {
  return nats_->request(m.message.reply, "+ACK", {.timeout = options_.timeout})
    .add_callback([](const nats_message&) {});
}

std::error_code jetstream::nak(const jetstream_message& m, duration delay) {
  return nats_->publish(
    m.message.reply,
    delay > duration::zero() ? "-NAK {\"delay\":" + std::to_string(delay.count()) + '}' : "-NAK");
}

std::error_code jetstream::in_progress(const jetstream_message& m) {
  return nats_->publish(m.message.reply, "+WPI");
}

std::error_code jetstream::terminate(const jetstream_message& m) {
  return nats_->publish(m.message.reply, "+TERM");
}

} // namespace troupe
