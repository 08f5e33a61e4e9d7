#include "connecting.hpp"

#include <algorithm>

#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/net/detail/staggered_race.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "connection_counts.hpp"
#include "loop_time.hpp"
#include "socket_address.hpp"

namespace troupe::detail {

namespace {

// Says what became of each address; the code is that of the first.
failure summary(const net_address& to, const std::vector<socket_address>& tried,
                const std::vector<failure>& all) {
  const auto& first = all.front();
  const auto code = static_cast<errc>(first.code().value());
  const auto name = [&](std::size_t i) {
    return tried[i].to_address().to_string();
  };
  if (all.size() == 1 && to.type() != net_address::kind::host_name)
    return {code, name(0) + (first.context().empty() ? "" : ": " + first.context())};
  std::string text = to.to_string();
  for (std::size_t i = 0; i < all.size(); ++i)
    text += (i == 0 ? " at " : ", ") + name(i) + " (" + all[i].message() + ')';
  return {code, text};
}

// A UNIX socket whose listen queue is full refuses at once; a TCP port would let us wait.
constexpr auto full_queue_retry = std::chrono::milliseconds(10);

deferred<connected_socket> connect_patiently(event_loop& loop, clock& c, sockaddr_storage to) {
  for (;;) {
    // In an optional, because a bare outcome would be thrown here, and lose its context.
    auto got =
      co_await connect_socket(loop, to, std::nullopt).add_both([](outcome<connected_socket> o) {
        return std::optional(std::move(o));
      });
    if (*got)
      co_return **std::move(got);
    if (!got->error().check(errc::connection_limit_reached))
      co_return got->error();
    co_await defer_later(c, full_queue_retry);
  }
}

} // namespace

connect_options checked(connect_options options) {
  if (options.timeout < duration::zero() || options.attempt_delay < duration::zero())
    throw std::logic_error("connecting: a time among the options is negative");
  return options;
}

unix_connect_options checked(unix_connect_options options) {
  checked(connect_options{.timeout = options.timeout});
  return options;
}

failure reason_of(const caf::error& e) {
  if (!e || e == caf::exit_reason::normal)
    return errc::connection_done;
  if (e == caf::exit_reason::user_shutdown)
    return errc::runtime_stopped;
  return failure{e};
}

connecting_place place_of(runtime& rt, std::size_t asked) {
  auto* here = event_loop::current();
  if (here != nullptr && &here->scheduler() != &rt.scheduler())
    here = nullptr; // that of another runtime
  if (asked == any_loop || (asked == current_loop && here == nullptr))
    return {here != nullptr ? *here : rt.scheduler().loop(0), true};
  if (asked == current_loop)
    return {*here, false};
  if (asked >= rt.loops())
    throw std::invalid_argument("connecting: there is no loop " + std::to_string(asked)
                                + "; the runtime has " + std::to_string(rt.loops()));
  if (here != nullptr && here->index() != asked)
    throw std::logic_error("connecting: this is loop " + std::to_string(here->index())
                           + "; a connection on loop " + std::to_string(asked)
                           + " is made there, or before run()");
  return {rt.scheduler().loop(asked), false};
}

void expect_on_loop(const factory_ref& f, const event_loop& loop) {
  if (const auto* const started = f.started(); started != nullptr && &started->loop() != &loop)
    throw std::invalid_argument("connecting: the factory runs on loop "
                                + std::to_string(started->loop().index()) + ", and this is loop "
                                + std::to_string(loop.index())
                                + "; a connection needs a factory on its own loop");
}

std::string with_reason(const net_address& to, const failure& why) {
  const auto name = to.to_string();
  std::string_view text;
  const auto message = why.message();
  text = message;
  if (text.starts_with(name)) { // it is said before the reason
    text.remove_prefix(name.size());
    text.remove_prefix(std::min(text.find_first_not_of(": "), text.size()));
  }
  return name + " (" + std::string(text) + ')';
}

connecting::connecting(connecting_place where, destination to, client_factory_ref f,
                       connect_options options, std::shared_ptr<const transport_kind> kind)
  : loop_(where.loop), in_turn_(where.in_turn), clock_(clock_of(where.loop)), to_(std::move(to)),
    factory_(std::move(f)), options_(std::move(options)), kind_(std::move(kind)) {}

// Runs `fn` as the factory; tells whether that still lives.
template <class F>
bool connecting::as_factory(F&& fn) {
  bool ran = false;
  factory().enter([&] {
    ran = true;
    fn();
  });
  return ran;
}

void connecting::connect() {
  if (state_ != state::disconnected)
    throw std::logic_error("connect() of a connector that is connecting or connected");
  if (once_)
    throw std::logic_error("connect() of a connector whose supervisor connects again");
  once_ = watcher_ != nullptr;
  if (loop_.stopping())
    return over(errc::runtime_stopped);
  state_ = state::connecting;
  const auto attempt = ++attempt_;
  if (loop_.is_current())
    begin();
  else // before run()
    loop_.post([self = shared_from_this(), attempt] {
      if (self->attempt_ == attempt && self->state_ == state::connecting)
        self->begin();
    });
}

// Does a step of an attempt. What it throws, for want of memory or in a resolver, ends the attempt.
void connecting::guarded(void (connecting::*step)()) {
  const auto attempt = attempt_;
  try {
    (this->*step)();
  } catch (...) {
    if (attempt == attempt_ && state_ == state::connecting)
      failed(failure{errc::connect_failed, failure::current().message()});
  }
}

void connecting::begin() {
  why_ = {};
  called_off_ = false;
  const auto self = shared_from_this();
  if (index_ == none) {
    try {
      factory().begin_use();
    } catch (...) { // told in a later turn, as below
      return loop_.post([self, attempt = attempt_, why = failure::current()] {
        if (attempt == self->attempt_ && self->state_ == state::connecting)
          self->failed(why);
      });
    }
    index_ = factory().active_.size();
    factory().active_.push_back(self);
  }
  factory().counts().attempts.add();
  const auto attempt = attempt_;
  connector handle{self};
  as_factory([&] { factory().started_connecting(handle); });
  if (state_ != state::connecting || attempt != attempt_)
    return; // was stopped in there
  if (options_.timeout != duration::max()) {
    patience_ = {};
    limit(saturating_add(clock_.now(), options_.timeout), options_.timeout);
  }
  // In a later turn: an attempt may be over at once, and a factory that then begins another one
  // must not do so deeper and deeper in the stack.
  loop_.post([self, attempt] {
    if (attempt == self->attempt_ && self->state_ == state::connecting)
      self->guarded(&connecting::look_up);
  });
}

void connecting::limit(time_point due, duration after) {
  limit_.start(clock_, after, [this, due] {
    if (!patience_.is_over(loop_, due, options_.timeout))
      return limit(due, duration::zero());
    stop_connecting(failure{errc::timed_out, "connecting to " + to_.name.to_string()});
  });
}

void connecting::look_up() {
  const auto self = shared_from_this();
  const auto attempt = attempt_;
  auto d = to_.find(loop_)
             .add_callback(
               [this, self](const std::vector<sockaddr_storage>& found) { return race(found); })
             .add_callbacks(
               [this, self, attempt](connected_socket socket) {
                 if (attempt != attempt_ || state_ != state::connecting)
                   return;
                 under_way_.reset();
                 try {
                   connected(std::move(socket));
                 } catch (...) {
                   if (attempt == attempt_ && state_ == state::connecting && !protocol_)
                     failed(failure{errc::connect_failed, failure::current().message()});
                 }
               },
               [this, self, attempt](const failure& why) {
                 if (attempt == attempt_ && state_ == state::connecting)
                   failed(why);
               });
  if (attempt == attempt_ && state_ == state::connecting && !d.ready())
    under_way_.emplace(std::move(d));
}

deferred<connected_socket> connecting::connect_to(const sockaddr_storage& to,
                                                  const std::optional<sockaddr_storage>& from) {
  return to.ss_family == AF_UNIX ? connect_patiently(loop_, clock_, to)
                                 : connect_socket(loop_, to, from);
}

deferred<connected_socket> connecting::race(const std::vector<sockaddr_storage>& addresses) {
  std::optional<sockaddr_storage> from;
  if (!options_.bind_address.empty() || options_.bind_port != 0) {
    const auto v6 = !addresses.empty() && addresses.front().ss_family == AF_INET6;
    const auto& host = options_.bind_address;
    from = parse_ip(host.empty() ? (v6 ? "::" : "0.0.0.0") : host, options_.bind_port);
    if (!from)
      return fail<connected_socket>(
        failure{errc::bind_failed, "not an address in numbers: " + options_.bind_address});
  }
  if (addresses.size() == 1 && (!from || from->ss_family == addresses.front().ss_family))
    return connect_to(addresses.front(), from) // without the cost of a race
      .add_errback([self = shared_from_this(), tried = socket_address{addresses.front()}](
                     const failure& why) -> outcome<connected_socket> {
        return summary(self->to_.name, {tried}, {why});
      });
  using race = staggered_race<connected_socket>;
  std::vector<race::attempt> attempts;
  std::vector<socket_address> tried;
  for (const auto& a : addresses) {
    if (from && from->ss_family != a.ss_family)
      continue; // cannot be reached from there
    attempts.emplace_back([this, a, from] { return connect_to(a, from); });
    tried.emplace_back(a);
  }
  if (attempts.empty())
    return fail<connected_socket>(
      failure{errc::no_route, "no address of it is of the family of " + options_.bind_address});
  return race::run(
    clock_, options_.attempt_delay, std::move(attempts),
    [self = shared_from_this(), tried = std::move(tried)](const std::vector<failure>& all) {
      return summary(self->to_.name, tried, all);
    });
}

void connecting::connected(connected_socket socket) {
  const auto attempt = attempt_;
  auto& where = in_turn_ ? loop_.scheduler().next_loop() : loop_;
  protocol_ptr built;
  as_factory([&] {
    try {
      built = factory().build(socket_address{socket.peer}.to_address(), where);
    } catch (...) { // an override of `build`; it costs the one attempt
    }
  });
  if (attempt != attempt_ || state_ != state::connecting)
    return; // was stopped in there; the protocol goes, and has had no connection
  if (!built)
    return failed(errc::no_protocol);
  if (where.is_current()) {
    protocol_ = built;
    return join(std::move(socket), built, attempt);
  }
  where.post([self = shared_from_this(), s = std::move(socket), built, attempt]() mutable {
    self->join(std::move(s), built, attempt);
  });
  protocol_ = std::move(built);
}

// Brings socket and protocol together, and tells loop 0. Thread: that of the protocol's loop.
void connecting::join(connected_socket socket, const protocol_ptr& built, std::uint64_t attempt) {
  auto& where = built->loop();
  const auto told = [self = shared_from_this(), attempt](const failure* failed) {
    auto report = [self, attempt, why = failed != nullptr ? *failed : failure{}] {
      if (attempt == self->attempt_ && self->state_ == state::connecting)
        self->opened(why ? &why : nullptr);
    };
    if (self->loop_.is_current())
      report();
    else
      self->loop_.post(std::move(report));
  };
  const auto give_up = [&](const failure& why) {
    built->end_connection(why);
    told(&why);
  };
  if (where.stopping())
    return give_up(errc::runtime_stopped);
  if (called_off_)
    return give_up(errc::cancelled); // loop 0 knows better why
  try {
    kind_->open(where, std::move(socket.fd), socket_address{socket.peer}, built, told);
  } catch (...) {
    give_up(failure{errc::connect_failed, failure::current().message()});
  }
}

void connecting::opened(const failure* why) {
  if (why != nullptr) {
    protocol_ = nullptr;
    return failed(why_ ? why_ : *why);
  }
  // Called at once if it has ended already; in the thread in which it ends.
  protocol_->attach_functor([self = shared_from_this(), attempt = attempt_](const caf::error& e) {
    self->loop_.post([self, attempt, why = reason_of(e)] {
      if (attempt != self->attempt_)
        return;
      if (self->state_ == state::connected)
        self->lost(why);
      else if (self->why_) // the attempt was ended while the connection was being opened
        self->failed(self->why_);
    });
  });
  if (why_)
    return; // it is told to end, and then the attempt is over
  limit_.cancel();
  state_ = state::connected;
  connector handle{shared_from_this()};
  as_factory([&] { factory().client_connection_made(handle, protocol_ptr{protocol_}); });
  if (const auto watcher = watcher_; watcher && state_ == state::connected)
    watcher->connection_opened();
}

void connecting::failed(const failure& why) {
  factory().counts().attempt_failed(why);
  ended(&client_factory::client_connection_failed, why);
}

void connecting::lost(const failure& why) {
  ended(&client_factory::client_connection_lost, why);
}

void connecting::ended(void (client_factory::*tell)(connector&, const failure&),
                       const failure& why) {
  limit_.cancel();
  under_way_.reset();
  protocol_ = nullptr;
  state_ = state::disconnected;
  last_ = why;
  const auto self = shared_from_this();
  connector handle{self};
  if (!as_factory([&] { (factory().*tell)(handle, why); }) && index_ == none)
    loop_.scheduler().logger().error("cannot connect to {}", with_reason(to_.name, why));
  if (state_ != state::disconnected)
    return; // it connects again
  if (index_ != none) {
    auto& active = factory().active_;
    active.back()->index_ = index_; // the last one takes the place
    std::swap(active[index_], active.back());
    active.pop_back();
    index_ = none;
    as_factory([&] { factory().do_stop(); });
  }
  factory().end_if_stopping();
  over(why);
}

void connecting::over(const failure& why) {
  if (const auto watcher = std::exchange(watcher_, nullptr))
    watcher->connection_over(why);
}

// -- ending ---------------------------------------------------------------------------------------

void connecting::stop_connecting(const failure& why) {
  if (state_ != state::connecting)
    throw std::logic_error("stop_connecting() of a connector that is not connecting");
  if (protocol_) { // it is being opened, or has been; `opened` tells when there is none any more
    if (called_off_.exchange(true))
      return;
    why_ = why;
    // A connection that its loop has opened meanwhile ends too. One that the runtime's end concerns is
    // asked by its loop, and may send what it has.
    protocol_->loop().post([p = protocol_, why] {
      if (!why.check(errc::runtime_stopped) || !p->connected())
        p->end_connection(why);
    });
    return;
  }
  if (auto d = std::exchange(under_way_, std::nullopt)) {
    ++attempt_; // what the cancellation brings is void
    d->cancel();
  }
  failed(why);
}

void connecting::disconnect() {
  if (state_ == state::connecting)
    stop_connecting(errc::cancelled);
  else if (state_ == state::connected)
    protocol_->loop().post([p = protocol_] {
      p->enter([&] {
        if (p->connected())
          p->transport().lose_connection();
      });
    });
}

void connecting::abort() {
  if (state_ == state::connecting)
    stop_connecting(errc::cancelled);
  else if (state_ == state::connected)
    protocol_->loop().post([p = protocol_] {
      p->enter([&] {
        if (p->connected())
          p->transport().abort_connection();
      });
    });
}

connector start_connecting(runtime& rt, destination to, const client_factory_ref& f,
                           const connect_options& options,
                           std::shared_ptr<const transport_kind> kind) {
  rt.scheduler().expect_any_loop("connect", "use call_from_thread");
  auto good = checked(options); // before the factory starts
  const auto place = place_of(rt, good.loop);
  expect_on_loop(f, place.loop);
  f.start(rt.system(), place.loop);
  const auto made =
    std::make_shared<connecting>(place, std::move(to), f, std::move(good), std::move(kind));
  made->connect();
  return connector{made};
}

} // namespace troupe::detail
