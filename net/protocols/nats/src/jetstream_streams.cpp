// Streams: made where they are surely not there.

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <utility>

#include <troupe/nats/jetstream.hpp>
#include <troupe/runtime/clock.hpp>

#include "jetstream_json.hpp"
#include "nats_core.hpp"

namespace troupe {

namespace json = detail::jetstream_json;

namespace {

// In a cluster one server keeps the list of all streams. One that has just become it says for a moment that there is none, and takes
// an order to make it as one for a new, empty stream, which replaces the one that is there. Two orders at the same moment leave servers
// that do not agree when the stream was made, so each waits for some time by chance more.
constexpr duration between_looks = std::chrono::seconds(2);

duration by_chance() {
  return std::chrono::milliseconds(std::random_device{}() % 1000);
}

bool says_none(const outcome<stream_info>& got) {
  return !got && got.error().check(nats_errc::stream_not_found);
}

// What servers put in for what is left open.
stream_config completed(stream_config c) {
  if (c.subjects.empty())
    c.subjects = {c.name};
  if (c.duplicate_window == duration::zero())
    c.duplicate_window = c.max_age > duration::zero()
                           ? std::min(c.max_age, stream_config{}.duplicate_window)
                           : stream_config{}.duplicate_window;
  if (c.republish_from.empty() && !c.republish_to.empty())
    c.republish_from = ">";
  c.replicas = std::max<std::size_t>(c.replicas, 1);
  return c;
}

deferred<stream_info> if_wanted(outcome<stream_info> got, const stream_config& wanted) {
  if (!got)
    return fail<stream_info>(got.error());
  if (got->config != completed(wanted))
    return fail<stream_info>(failure{make_error_code(nats_errc::stream_exists),
                                     wanted.name + ", with another configuration"});
  return succeed(*std::move(got));
}

// What those say who do not lead a stream may be wrong.
outcome<stream_info> if_led(outcome<stream_info> got) {
  if (got && got->leader.empty() && !got->cluster.empty())
    return failure{make_error_code(nats_errc::jetstream_unavailable),
                   "nobody leads the stream " + got->config.name};
  return got;
}

// Fires after a while, unless the connection is stopped, or not there any more.
deferred<void> wait(const std::shared_ptr<detail::nats_core>& core, duration span) {
  auto over = std::make_shared<promise<void>>();
  auto result = over->get_deferred();
  core->time().call_later(span, [weak = std::weak_ptr{core}, over] {
    if (over->called()) // cancelled
      return;
    const auto still = weak.lock();
    if (still && !still->stopped())
      over->callback();
    else
      over->errback(failure{errc::cancelled, "the connection is stopped"});
  });
  return result;
}

} // namespace

deferred<stream_info> jetstream::order_stream(const stream_config& config) {
  return ask("STREAM.CREATE", config.name, {}, json::text_of(config))
    .add_callback([](const std::string& answer) { return if_led(json::stream_of(answer)); });
}

// Whether it is one server that we speak with, and no other behind it that answers.
bool jetstream::is_single() const {
  const auto& server = nats_->server_info();
  return server.cluster.empty() && server.jetstream
         && options_.prefix == jetstream_options{}.prefix;
}

deferred<stream_info> jetstream::find_or_order(const stream_config& config, duration doubt) {
  return get_stream(config.name)
    .add_both([js = *this, config,
               doubt](outcome<stream_info> got) mutable -> deferred<stream_info> {
      if (!says_none(got))
        return if_wanted(std::move(got), config);
      if (doubt <= duration::zero() || js.is_single())
        return js.order_stream(config);
      const auto span = std::min(doubt, between_looks);
      return wait(js.nats_->core_, span).add_callback([js, config, rest = doubt - span]() mutable {
        return js.find_or_order(config, rest);
      });
    });
}

deferred<stream_info> jetstream::create_stream(const stream_config& config, duration doubt) {
  return find_or_order(config, doubt + by_chance());
}

deferred<stream_info> jetstream::update_stream(const stream_config& config) {
  return ask("STREAM.UPDATE", config.name, {}, json::text_of(config))
    .add_callback([](const std::string& answer) { return json::stream_of(answer); });
}

deferred<stream_info> jetstream::get_stream(std::string_view name) {
  return ask("STREAM.INFO", name, {}, {}).add_callback([](const std::string& answer) {
    return if_led(json::stream_of(answer));
  });
}

deferred<void> jetstream::delete_stream(std::string_view name) {
  return ask("STREAM.DELETE", name, {}, {}).add_callback([](const std::string& answer) {
    return json::success_of(answer);
  });
}

deferred<std::uint64_t> jetstream::purge_stream(std::string_view name, std::string_view filter) {
  return ask("STREAM.PURGE", name, {},
             filter.empty() ? std::string{} : "{\"filter\":" + json::quoted(filter) + '}')
    .add_callback([](const std::string& answer) { return json::purged_of(answer); });
}

} // namespace troupe
