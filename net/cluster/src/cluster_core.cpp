#include "cluster_core.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <caf/send.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

namespace {

// Greater than that of any earlier process of this name, if the machine's date is about right. If it is
// not, the others say what it must be above.
std::uint64_t first_incarnation(const cluster_options& options, const clock& time) {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const auto since =
    options.seed != 0
      ? duration{time.now().time_since_epoch()}
      : duration_cast<duration>(std::chrono::system_clock::now().time_since_epoch());
  const auto count = duration_cast<microseconds>(since).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0)) + 1;
}

const cluster_options& checked(const cluster_options& options) {
  check(options);
  return options;
}

std::uint64_t random_seed(const cluster_options& options) {
  if (options.seed != 0)
    return options.seed;
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

} // namespace

cluster_core::cluster_core(runtime& rt, cluster_options options, clock* time)
  : rt_(rt), home_(rt.scheduler().loop(0)), options_(std::move(checked(options))),
    time_(time != nullptr ? *time : rt.reactor()), own_time_(time != nullptr),
    random_(random_seed(options_)), relay_(std::make_shared<topic_relay>(rt.scheduler(), *this)),
    wanted_([this](std::string_view name, wanted_topic* topic) {
      if (sharing_)
        sharing_->wanted_elsewhere(name, topic);
    }),
    own_(options_.max_topics), arrivals_(rt), board_(options_.max_entries) {
  while (boot_ == 0)
    boot_ = random_();
  incarnation_ = first_incarnation(options_, time_);
  sharing_.emplace(rt, relay_, topic_sharing::limits{wire::longest_topic, options_.max_message});
  topics_.emplace(*sharing_);
}

cluster_core::~cluster_core() = default;

// -- the beginning ------------------------------------------------------------------------------

void cluster_core::start() {
  const auto weak = weak_from_this();
  rt_.reactor().call_from_thread([weak] { // once it runs
    const auto self = running(weak);
    if (!self)
      return;
    try {
      self->link_ =
        self->options_.via->attach({self->rt_, self->options_.cluster, self->options_.name}, *self);
    } catch (const std::invalid_argument& e) {
      self->refuse_us({errc::invalid_argument, e.what()});
    }
  });
  trigger_ =
    rt_.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [weak] {
      const auto self = weak.lock();
      return self ? self->leave() : succeed();
    });
}

void cluster_core::backplane_up() {
  if (state() == own_state::left || state() == own_state::refused)
    return;
  link_up_ = true;
  if (link_->longest_message() < options_.max_message + wire::overhead) {
    const failure narrow{errc::message_too_long,
                         "cluster_options::max_message is " + std::to_string(options_.max_message)
                           + ", and the backplane, " + options_.via->name()
                           + ", carries messages of " + std::to_string(link_->longest_message())
                           + " bytes, headers included: lower the one, or raise the other (for "
                             "NATS: max_payload of the server)"};
    if (!begun_)
      return refuse_us(narrow);
    rt_.logger().error("{}; longer ones will be lost", narrow.message()); // another server, perhaps
  }
  rt_.repeats().over("cluster backplane " + options_.name, log_level::info,
                     "node " + options_.name + " reaches its backplane, " + options_.via->name());
  if (!begun_) { // whoever has our name says so, before the others hear of us
    send_all(wire::writer{header(wire::kind::claim)});
    return later(options_.heartbeat / 4, &cluster_core::joined, join_call_);
  }
  if (state() != own_state::isolated)
    return;
  take_back(isolation_call_);
  gave_up_ = false;
  state_ = own_state::up;
  forgive_silence();
  tell_of_us(node_event::rejoined);
  beat(nullptr);
}

void cluster_core::joined() {
  begun_ = true;
  state_ = own_state::up;
  joined_at_ = last_tick_ = time_.now();
  names_changed();
  rt_.logger().info("node {} has joined cluster {} over {}", options_.name, options_.cluster,
                    options_.via->name());
  beat(nullptr);
  const std::chrono::duration<double, std::nano> first{
    std::uniform_real_distribution<>{0.5, 1}(random_)
    * static_cast<double>(
      options_.heartbeat.count())}; // so that nodes started together do not beat so
  later(std::chrono::duration_cast<duration>(first), &cluster_core::tick, tick_call_);
  later(options_.down_after / 2, &cluster_core::judge, judge_call_);
  changed();
}

void cluster_core::backplane_down(const failure& why) {
  link_up_ = false;
  if (state() == own_state::joining) {
    take_back(join_call_);
    rt_.repeats().note("cluster backplane " + options_.name, log_level::warn, [&] {
      return "node " + options_.name + " cannot reach its backplane, " + options_.via->name() + ": "
             + why.message();
    });
  }
  if (state() != own_state::up)
    return;
  state_ = own_state::isolated;
  count_.isolations.add();
  tell_of_us(node_event::isolated, why);
  later(options_.isolation_hold, &cluster_core::isolated_for_too_long, isolation_call_);
}

// -- the end ------------------------------------------------------------------------------------

void cluster_core::refuse_us(failure why) {
  if (state() == own_state::refused || state() == own_state::left)
    return;
  state_ = own_state::refused;
  tell_of_us(node_event::refused, why);
  for (auto* call : {&tick_call_, &judge_call_, &join_call_, &isolation_call_, &parts_call_})
    take_back(*call);
  for (auto& [name, p] : peers_)
    wanted_.remove_all(*p);
  topics_elsewhere_ = 0;
  forget_others({errc::not_connected, "node " + options_.name + " is refused"});
  home_.post([weak = weak_from_this()] { // we may be inside one of its calls
    const auto self = running(weak);
    if (!self)
      return;
    self->link_.reset();
    self->end_drains();
  });
  if (options_.stop_if_refused)
    rt_.give_up(std::move(why));
}

deferred<void> cluster_core::leave() {
  if (state() == own_state::left || state() == own_state::refused)
    return succeed();
  if (talks()) {
    flush_all();
    send_all(wire::writer{header(wire::kind::bye)});
  }
  state_ = own_state::left;
  for (auto* call : {&tick_call_, &judge_call_, &join_call_, &isolation_call_, &parts_call_})
    take_back(*call);
  for (auto& [name, p] : peers_)
    wanted_.remove_all(*p);
  topics_elsewhere_ = 0;
  forget_others({errc::not_connected, "node " + options_.name + " has left the cluster"});
  changed();
  auto closed = link_ ? link_->close() : succeed();
  if (draining())
    closed.add_both([weak = weak_from_this()](outcome<void> what) {
      if (const auto self = weak.lock())
        self->end_drains();
      return what;
    });
  return closed;
}

// Nobody will hear of them any more: what waits for them ends.
void cluster_core::forget_others(const failure& why) {
  names_changed();
  fail_questions(nullptr, why);
  for (auto& [name, p] : peers_) {
    forget_facts(*p, why);
    lose_presence(*p, presence_cause::node_down, duration::zero());
  }
  end_watches(why);
}

void cluster_core::end() {
  ended_ = true;
  leave().add_errback([](const failure&) {});
  take_back(presence_call_);
  take_back(hold_call_);
  end_drains();
  end_watches({errc::not_connected, "the cluster has ended"});
  caf::anon_send_exit(std::exchange(answerer_, {}), caf::exit_reason::kill);
  relay_->detach();
  if (end_of_turn_wanted_)
    home_.forget(*this);
  link_.reset();
  sharing_.reset();
  if (trigger_) {
    try {
      rt_.reactor().remove_system_event_trigger(*trigger_);
    } catch (const std::invalid_argument&) { // it has run
    }
  }
}

// -- while it lasts -----------------------------------------------------------------------------

void cluster_core::tick() {
  later(options_.heartbeat, &cluster_core::tick, tick_call_);
  const auto now = time_.now();
  if (now - last_tick_ > 2 * options_.heartbeat)
    forgive_silence(); // we were stopped, and heard nobody
  last_tick_ = now;
  own_.expire(now,
              [this](const std::string& name) { return topics_->find(name).subscribers() != 0; });
  topics_here_ = own_.size();
  if (talks())
    beat(nullptr);
  tell_missed();
  expire_questions();
  forget_old();
  changed();
}

void cluster_core::beat(peer* only_to) {
  flush_all(); // so that what the beat counts has gone ahead
  send_interest_changes();
  send_facts_changes();
  std::vector<wire::sent_record> records;
  for (auto& [name, p] : peers_)
    if (only_to == nullptr ? p->beats_to_tell > 0 : p.get() == only_to) {
      records.push_back({p->boot, p->out_stream, p->published});
      if (only_to == nullptr)
        --p->beats_to_tell;
    }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.boot < b.boot; });
  std::string sent;
  for (const auto& record : records)
    wire::append(sent, record);
  wire::beat b;
  if (time_.now() - joined_at_ < options_.down_after)
    b.flags |= wire::beat::joining;
  b.period_ms = static_cast<std::uint32_t>(
    std::chrono::duration_cast<std::chrono::milliseconds>(options_.heartbeat).count());
  b.interest = own_.version();
  b.version = options_.version;
  b.facts = facts_.version();
  b.sent = sent;
  wire::writer out{header(wire::kind::beat)};
  wire::write(out, b);
  if (only_to != nullptr)
    send(only_to->name, out);
  else
    send_all(out);
}

// -- messages -----------------------------------------------------------------------------------

wire::header cluster_core::header(wire::kind what) const noexcept {
  return {what, boot_, incarnation()};
}

void cluster_core::send(const std::string& to, const wire::writer& message) {
  if (!link_ || !link_up_)
    return;
  count_.messages_out.add();
  count_.bytes_out.add(message.size());
  link_->send(to, message.view());
}

void cluster_core::send_all(const wire::writer& message) {
  if (!link_ || !link_up_)
    return;
  count_.messages_out.add();
  count_.bytes_out.add(message.size());
  link_->send_all(message.view());
}

void cluster_core::backplane_received(std::string_view from, bytes_view message) {
  count_.messages_in.add();
  count_.bytes_in.add(message.size());
  if (state() == own_state::left || state() == own_state::refused)
    return;
  wire::reader in{message};
  std::uint8_t other_version = 0;
  const auto h = wire::read_header(in, other_version);
  if (!h)
    return note_bad_message(from,
                            other_version != 0
                              ? "a message of protocol version " + std::to_string(other_version)
                                  + ", of which this program knows only "
                                  + std::to_string(wire::version) + ": update the older one of both"
                              : std::string{"a message that is none of a cluster"});
  if (from == options_.name)
    return hear_own_name(*h, in);
  if (h->what == wire::kind::claim || h->what == wire::kind::taken)
    return; // between those who have that name
  if (h->what == wire::kind::outdated)
    return hear_outdated(
      in); // also of a node that we take for down: else two would never meet again
  std::optional<wire::beat> b;
  if (h->what == wire::kind::beat) {
    b = wire::read_beat(in);
    if (!b)
      return note_bad_message(from, "a beat that is none");
  }
  auto* const who = hear(from, *h, b ? &*b : nullptr);
  if (who == nullptr)
    return;
  switch (h->what) {
  case wire::kind::beat:
    return hear_beat(*who, *b);
  case wire::kind::bye:
    return hear_bye(*who);
  case wire::kind::interest:
    return hear_interest(*who, in);
  case wire::kind::interest_wanted:
    return hear_interest_wanted(*who, in);
  case wire::kind::publications:
    return hear_publications(*who, in);
  case wire::kind::facts:
    return hear_facts(*who, in);
  case wire::kind::facts_wanted:
    return hear_facts_wanted(*who, in);
  case wire::kind::question:
    return hear_question(*who, in);
  case wire::kind::answer:
    return hear_answer(*who, in);
  case wire::kind::refused:
    if (in.u64() == boot_ && !std::exchange(who->refuses_us, true)) // it says so again and again
      rt_.repeats().note("cluster refused " + who->name, log_level::error, [&] {
        return "node " + who->name + " refuses us: " + escape_text(in.text(), wire::longest_reason);
      });
    return;
  case wire::kind::claim:
  case wire::kind::taken:
  case wire::kind::outdated:
    return; // dealt with above
  }
}

void cluster_core::note_bad_message(std::string_view from, std::string_view what) {
  count_.refused_messages.add();
  rt_.repeats().note("cluster bad message " + std::string{from.substr(0, 64)}, log_level::warn,
                     [&] {
                       return "node " + options_.name + " got from " + escape_text(from, 64) + " "
                              + std::string{what} + "; it is dropped";
                     });
}

// -- time ---------------------------------------------------------------------------------------

void cluster_core::later(duration delay, void (cluster_core::*fn)(), delayed_call& handle) {
  take_back(handle);
  if (ended_)
    return;
  handle = time_.call_later(std::max(delay, duration::zero()), [this, fn] { (this->*fn)(); });
}

void cluster_core::take_back(delayed_call& call) {
  if (call.active())
    call.cancel();
}

void cluster_core::want_end_of_turn() {
  if (!ended_ && !std::exchange(end_of_turn_wanted_, true))
    home_.before_flush(*this);
}

std::shared_ptr<cluster_core> cluster_core::running(const std::weak_ptr<cluster_core>& which) {
  auto core = which.lock();
  return core && !core->ended_ ? core : nullptr;
}

void cluster_core::turn_ended() noexcept {
  end_of_turn_wanted_ = false;
  try {
    if (gathers()) {
      gathered_before_ = buffered_;
      want_end_of_turn(); // so that the loop does not sleep
    } else {
      flush_all();
    }
    send_interest_changes();
    send_facts_changes();
    if (std::exchange(presence_dirty_, false))
      board_.flush();
    if (std::exchange(names_changed_, false))
      tell_name_observers();
    if (std::exchange(changed_, false)) {
      auto seen = look_around();
      const std::lock_guard lock{seen_mutex_};
      seen_.swap(seen);
    }
  } catch (...) { // from the backplane
    rt_.logger().error("node {}: unhandled exception of its backplane, {}: {}", options_.name,
                       options_.via->name(), failure::current().message());
  }
}

} // namespace troupe::detail
