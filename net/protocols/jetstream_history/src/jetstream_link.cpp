#include "jetstream_link.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <troupe/history/history_errc.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/reactor.hpp>

namespace troupe::detail {

namespace {

constexpr duration retry = std::chrono::milliseconds(500);
constexpr duration longest_pause = std::chrono::seconds(30);
constexpr duration most_silence = std::chrono::seconds(1);
constexpr duration between_elections = std::chrono::seconds(1);
constexpr duration patience_with_leader = std::chrono::seconds(2);
constexpr duration doubt = std::chrono::seconds(2);           // whether the stream is not there
constexpr duration doubt_if_known = std::chrono::seconds(30); // though it was there

std::uint64_t epoch_of(std::string_view created) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a
  for (const char c : created)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash | 1;
}

std::uint64_t number(std::optional<std::string_view> text) noexcept {
  std::uint64_t n = 0;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), n);
  return n;
}

std::int64_t milliseconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

bool plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
         || c == '_';
}

} // namespace

std::string subject_token(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string token;
  for (const char c : text)
    if (plain(c))
      token += c;
    else
      (token += '%').append({digits[static_cast<unsigned char>(c) >> 4], digits[c & 15]});
  return token;
}

std::optional<std::string> token_text(std::string_view token) {
  std::string text;
  while (!token.empty()) {
    if (plain(token.front())) {
      text += token.front();
      token.remove_prefix(1);
      continue;
    }
    unsigned char c = 0;
    if (token.front() != '%' || token.size() < 3
        || std::from_chars(token.data() + 1, token.data() + 3, c, 16).ptr != token.data() + 3)
      return std::nullopt;
    text += static_cast<char>(c);
    token.remove_prefix(3);
  }
  return text;
}

// The id of a message goes with its topic, for the stream knows no topics.
std::string jetstream_core::id_of(std::optional<std::string_view> text) {
  if (!text)
    return {};
  return token_text(text->substr(text->find('/') + 1)).value_or(std::string{});
}

jetstream_core::jetstream_core(runtime& rt, const jetstream_history_options& options,
                               history_events& events)
  : rt_(rt), options_(options), events_(&events) {}

void jetstream_core::start() {
  rt_.reactor().call_from_thread([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->events_ == nullptr)
      return;
    self->live_ = self->connect(&jetstream_core::live_up_);
    for (const auto& [topic, f] : self->followed_) // in the turn in which it was made
      self->subscribe(topic);
    self->store_ = self->connect(&jetstream_core::store_up_);
    // What was kept while there was no leader has been told to nobody.
    if (self->options_.replicas > 1)
      self->leaders_ = self->live_->subscribe(
        "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED." + self->options_.name,
        [self = self.get()](const nats_message_view&) { self->leader_elected(); });
  });
}

void jetstream_core::end() {
  events_ = nullptr;
  followed_.clear();
  leaders_ = {};
  if (again_.active())
    again_.cancel();
  live_.reset();
  store_.reset();
}

std::unique_ptr<nats_connection> jetstream_core::connect(bool jetstream_core::*up) {
  auto options = options_.nats;
  // A server that stops is left soon, and one that is there again is found.
  static const nats_options usual;
  if (options.ping_interval == usual.ping_interval)
    options.ping_interval = most_silence / 2;
  if (options.reconnect.max == usual.reconnect.max)
    options.reconnect.max = retry;
  options.on_event = [weak = weak_from_this(), up](const nats_event& e) {
    if (const auto self = weak.lock(); self && self->events_ != nullptr)
      self->happened(e, up);
  };
  auto made = std::make_unique<nats_connection>(rt_, std::move(options));
  (void)made->start_service();
  made->when_connected(1).add_errback([weak = weak_from_this()](const failure& why) {
    if (const auto self = weak.lock(); self && self->events_ != nullptr)
      self->lost(why); // it goes on trying
  });
  return made;
}

void jetstream_core::happened(const nats_event& e, bool jetstream_core::*up) {
  if (e.what == nats_event::kind::connected || e.what == nats_event::kind::reconnected) {
    this->*up = true;
    if (broken_looks_ == 0)
      look_anew();
    else
      look_later(std::min(retry * (1 << std::min(broken_looks_, 8U)), longest_pause));
  } else if (e.what == nats_event::kind::disconnected) {
    this->*up = false;
    if (up == &jetstream_core::live_up_)
      for (auto& [topic, f] : followed_)
        f.settled = false; // it is subscribed to anew
    lost(e.why);
  }
}

void jetstream_core::lost(const failure& why) {
  events_->history_lost(failure{history_errc::store_unavailable, why.message()});
}

stream_config jetstream_core::config() const {
  stream_config c;
  c.name = options_.name;
  c.subjects = {options_.name + ".kept.>"};
  c.storage = options_.storage;
  c.max_messages_per_subject = options_.per_topic;
  c.max_age = options_.max_age;
  c.max_bytes = options_.max_bytes;
  c.replicas = options_.replicas;
  c.duplicate_window = options_.duplicate_window;
  if (c.max_age > duration::zero())
    c.duplicate_window = std::min(c.duplicate_window, c.max_age); // as the server wants it
  c.republish_from = options_.name + ".kept.>";
  c.republish_to = options_.name + ".live.>";
  return c;
}

std::string jetstream_core::subject_of(std::string_view topic) const {
  return options_.name + ".kept." + subject_token(topic);
}

void jetstream_core::look_for_stream() {
  if (look_ == 0 && !again_.active())
    look_anew();
}

// Anybody who may publish there can say so, as often as he likes.
void jetstream_core::leader_elected() {
  const auto now = rt_.reactor().now();
  if (elected_at_ && now - *elected_at_ < between_elections)
    return look_later(between_elections);
  elected_at_ = now;
  look_anew();
}

// Asks what the stream is, whatever was asked before: that may never be answered. The server that leads it does that; to make it, if it is
// not there, takes the one that leads all of them, which may be away while this one is there.
void jetstream_core::look_anew() {
  if (!live_up_ || !store_up_)
    return;
  if (again_.active())
    again_.cancel();
  look_ = ++latest_look_;
  const auto done = [weak = weak_from_this(), look = look_](outcome<stream_info> got) {
    const auto self = weak.lock();
    if (self && self->events_ != nullptr && self->look_ == look)
      self->have_looked(std::move(got));
  };
  jetstream_options soon;
  soon.timeout = patience_with_leader;
  jetstream{*store_, soon}
    .get_stream(options_.name)
    .add_both([weak = weak_from_this(), look = look_, done](outcome<stream_info> got) {
      const auto self = weak.lock();
      if (!self || self->events_ == nullptr || self->look_ != look)
        return;
      const bool none = !got && got.error().check(nats_errc::stream_not_found);
      if (!none && !(got && got->config != self->config()))
        return done(std::move(got));
      if (none && self->epoch_ != 0)
        self->lost(got.error());
      jetstream{*self->store_}
        .create_stream(self->config(), self->epoch_ == 0 ? doubt : doubt_if_known)
        .add_both(done);
    });
}

void jetstream_core::have_looked(outcome<stream_info> got) {
  look_ = 0;
  // A server whose disk is full answers nobody any more who has asked, and keeps what it cannot read: it is asked ever less often.
  const bool broke = !got && got.error().check(errc::connection_lost);
  broken_looks_ = broke ? broken_looks_ + 1 : 0;
  if (!live_up_ || !store_up_)
    return;
  if (got) {
    const auto epoch = epoch_of(got->created);
    // A server that has just started may have another time for a moment, so it has to say so twice.
    if (epoch_ != 0 && epoch != epoch_ && std::exchange(doubted_, epoch) != epoch)
      return look_later(retry);
    doubted_ = 0;
    epoch_ = epoch;
    return events_->history_ready(epoch_);
  }
  if (got.error().check(nats_errc::stream_exists))
    events_->history_lost(
      failure{history_errc::wrong_store,
              "the stream " + options_.name
                + " is there with another configuration; choose another name, or change the one "
                  "or the other"});
  else if (got.error().check(errc::timed_out))
    events_->history_lost(
      failure{history_errc::store_unavailable,
              options_.replicas > 1
                ? "nobody leads the stream " + options_.name
                    + "; that takes more than half of the servers that have a copy of it"
                : "the server that has the stream " + options_.name + " does not answer"});
  else
    lost(got.error());
  if (!broke) // else it is asked when there is a connection again
    look_later(retry);
}

// One look is enough for all who want one.
void jetstream_core::look_later(duration span) {
  if (again_.active())
    return;
  again_ = rt_.reactor().call_later(span, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->events_ != nullptr)
      self->look_anew();
  });
}

// What the failure of a question says of the store.
failure jetstream_core::meaning_of(const failure& why) {
  const bool gone = why.check(nats_errc::stream_not_found)
                    || why.check(nats_errc::jetstream_unavailable)
                    || why.check(nats_errc::no_responders);
  if (gone && events_ != nullptr)
    look_for_stream(); // it may have been removed
  if (gone || why.check(errc::connection_lost) || why.check(errc::not_connected))
    return failure{history_errc::store_unavailable, why.message()};
  return why;
}

// -- appending, and what is heard of it -------------------------------------------------------------

deferred<history_position> jetstream_core::append(std::string_view topic, const shared_bytes& bytes,
                                                  std::string_view id) {
  if (store_ == nullptr)
    return fail<history_position>(failure{history_errc::store_unavailable, "not connected yet"});
  jetstream_publish_options options;
  if (!id.empty())
    options.id = subject_token(topic) + '/' + subject_token(id);
  ++appending_;
  return jetstream{*store_}
    .publish(subject_of(topic), bytes.text(), options)
    .add_callback([self = shared_from_this()](const publish_ack& ack) {
      return history_position{self->epoch_, ack.sequence};
    })
    .add_both(
      [self = shared_from_this()](outcome<history_position> got) -> outcome<history_position> {
        self->answered();
        if (got)
          return got;
        return self->meaning_of(got.error());
      });
}

void jetstream_core::answered() {
  if (--appending_ == 0 && closed_)
    std::exchange(closed_, std::nullopt)->callback();
}

deferred<void> jetstream_core::close() {
  if (appending_ == 0)
    return succeed();
  closed_.emplace();
  return closed_->get_deferred();
}

void jetstream_core::follow(std::string_view topic, bool on) {
  const std::string name{topic};
  if (!on) {
    followed_.erase(name);
    return;
  }
  if (followed_.try_emplace(name).second && live_ != nullptr)
    subscribe(name);
}

void jetstream_core::subscribe(const std::string& topic) {
  followed_[topic].subscription =
    live_->subscribe(options_.name + ".live." + subject_token(topic),
                     [this, topic](const nats_message_view& m) { heard(topic, m); });
}

void jetstream_core::heard(const std::string& topic, const nats_message_view& m) {
  if (events_ == nullptr || epoch_ == 0)
    return;
  const auto header = [&](std::string_view name) {
    return nats_header(m.header_block, name);
  };
  const auto sequence = number(header("Nats-Sequence"));
  if (sequence == 0)
    return; // of somebody who may publish there, and is no server
  events_->history_kept(
    topic, std::make_shared<const kept_message>(kept_message{{epoch_, sequence},
                                                             number(header("Nats-Last-Sequence")),
                                                             milliseconds_since_1970(),
                                                             id_of(header("Nats-Msg-Id")),
                                                             shared_bytes{m.payload}}));
  events_->history_kept_so_far();
}

} // namespace troupe::detail
