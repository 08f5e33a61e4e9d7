#include "http_pool.hpp"

#include <algorithm>
#include <utility>

#include <troupe/net/ssl_endpoint.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "http_client_connection.hpp"

namespace troupe::detail {

namespace {

event_loop& loop_of(runtime& rt) {
  auto* const here = event_loop::current();
  return here != nullptr && &here->scheduler() == &rt.scheduler() ? *here : rt.scheduler().loop(0);
}

} // namespace

void http_job::succeed_with(http_client_response r) {
  if (timer.active())
    timer.cancel();
  if (over())
    return;
  auto fired = std::move(*std::exchange(answer, std::nullopt));
  fired.callback(std::move(r));
}

void http_job::fail_with(const failure& why) {
  if (timer.active())
    timer.cancel();
  if (over())
    return;
  auto fired = std::move(*std::exchange(answer, std::nullopt));
  fired.errback(why);
}

http_pool::http_pool(runtime& rt, http_agent_options options)
  : rt_(rt), loop_(loop_of(rt)), options_(std::move(options)) {
  options_.max_per_origin = std::max<std::size_t>(1, options_.max_per_origin);
}

time_point http_pool::deadline() const {
  return options_.timeout > duration::zero() ? saturating_add(loop_.time(), options_.timeout)
                                             : time_point::max();
}

const tls_client_context& http_pool::tls() {
  if (!options_.tls)
    options_.tls.emplace(tls_client_options{.alpn = options_.http2 ? options_.http2->alpn()
                                                                   : std::vector<std::string>{}});
  return *options_.tls;
}

std::size_t http_pool::idle() const noexcept {
  std::size_t all = 0;
  for (const auto& [key, p] : places_)
    all += p.idle.size()
           + static_cast<std::size_t>(
             std::ranges::count_if(p.shared, [](const auto* c) { return c->under_way() == 0; }));
  return all;
}

std::size_t http_pool::busy() const noexcept {
  std::size_t all = 0;
  for (const auto& [key, p] : places_)
    all += p.busy;
  return all;
}

deferred<http_client_response> http_pool::send(http_client_request r, time_point deadline) {
  auto key = r.url().origin();
  const auto job = std::make_shared<http_job>(std::move(r), std::move(key));
  job->answer.emplace([this, weak = std::weak_ptr<http_job>{job}] {
    if (const auto j = weak.lock())
      cancel(*j);
  });
  auto result = job->answer->get_deferred();
  if (deadline != time_point::max())
    job->timer = loop_.timers().add(
      deadline, [self = shared_from_this(), weak = std::weak_ptr<http_job>{job}] {
        if (const auto j = weak.lock(); j && !j->over()) {
          j->fail_with({errc::timed_out, "no response from " + j->origin});
          self->cancel(*j);
        }
      });
  start(job);
  return result;
}

void http_pool::start(const http_job_ptr& job) {
  if (job->over())
    return;
  if (closed_)
    return job->fail_with({errc::cancelled, "the agent is gone"});
  auto& p = places_[job->origin];
  if (auto* const c = with_room(p)) {
    if (c->under_way() == 0)
      ++p.busy;
    return give(*c, job);
  }
  if (!job->fresh && !p.idle.empty()) {
    auto* const c = p.idle.back();
    p.idle.pop_back();
    ++p.busy;
    return give(*c, job);
  }
  if (may_open(p)) {
    ++p.busy;
    p.probing = job->probes = !p.only_one && may_be_shared(job->request.url());
    return connect(job);
  }
  if (p.waiting.size() >= options_.max_waiting)
    return job->fail_with({errc::queue_overflow, "requests for " + job->origin});
  p.waiting.push_back(job);
}

void http_pool::give(http_client_connection& c, const http_job_ptr& job) {
  c.enter("a request", [&] { c.run(job); });
}

std::shared_ptr<client_endpoint> http_pool::endpoint_for(const http_url& url) {
  if (options_.proxy.at)
    return options_.proxy.at;
  if (options_.reach)
    if (auto found = options_.reach(url))
      return found;
  connect_options how;
  how.timeout = options_.connect_timeout;
  how.loop = loop_.index();
  if (url.secure())
    return std::make_shared<ssl_client_endpoint>(rt_, url.host(), url.port(), tls(), how);
  return std::make_shared<tcp_client_endpoint>(rt_, url.host(), url.port(), how);
}

void http_pool::connect(const http_job_ptr& job) {
  job->holds_place = true;
  const auto failed = [self = shared_from_this(), job](const failure& why) {
    if (!std::exchange(job->holds_place, false))
      return;
    job->connecting = {};
    if (std::exchange(job->probes, false))
      self->probe_failed(job->origin);
    job->fail_with(why);
    self->busy_ended(job->origin);
  };
  try {
    const auto endpoint = endpoint_for(job->request.url());
    auto d = connect_protocol<http_client_connection>(*endpoint, shared_from_this(),
                                                      std::weak_ptr<http_job>{job});
    job->connecting = d.canceller();
    std::move(d).add_callbacks(
      [endpoint, failed](const connected_protocol&) {
        // It has taken the job's place by now, unless it has ended before it was made.
        failed({errc::connection_lost, "the connection ended at once"});
      },
      failed);
  } catch (...) {
    failed(failure::current());
  }
}

void http_pool::cancel(http_job& job) {
  if (job.holds_place)
    return std::exchange(job.connecting, {}).cancel(); // and that fails, and gives the place back
  if (auto* const at = std::exchange(job.exchange, nullptr))
    return at->abandon();
  if (const auto found = places_.find(job.origin); found != places_.end())
    std::erase_if(found->second.waiting, [&](const http_job_ptr& j) { return j.get() == &job; });
}

// -- places ---------------------------------------------------------------------------------------

void http_pool::next(const std::string& origin) {
  for (;;) {
    const auto found = places_.find(origin);
    if (found == places_.end())
      return;
    auto& p = found->second;
    if (p.waiting.empty() || (with_room(p) == nullptr && !may_open(p))) {
      if (p.empty())
        places_.erase(found);
      return;
    }
    const auto job = p.waiting.front();
    p.waiting.pop_front();
    start(job);
  }
}

void http_pool::now_idle(http_client_connection& c) {
  const auto origin = c.origin();
  auto& p = places_[origin];
  --p.busy;
  if (closed_) {
    c.close_idle();
    return next(origin);
  }
  p.idle.push_back(&c);
  if (p.idle.size() > options_.max_idle_per_origin && p.waiting.empty()) {
    auto* const oldest = p.idle.front();
    p.idle.erase(p.idle.begin());
    oldest->enter("an idle connection", [&] { oldest->close_idle(); });
  }
  next(origin);
}

void http_pool::busy_ended(const std::string& origin) {
  --places_[origin].busy;
  next(origin);
}

void http_pool::idle_ended(http_client_connection& c) {
  const auto origin = c.origin();
  if (const auto found = places_.find(origin); found != places_.end())
    std::erase(found->second.idle, &c);
  next(origin);
}

// -- connections that are shared ------------------------------------------------------------------

http_client_connection* http_pool::with_room(const place& p) noexcept {
  const auto found =
    std::ranges::find_if(p.shared, [](const auto* c) { return c->has_room_for_one(); });
  return found == p.shared.end() ? nullptr : *found;
}

bool http_pool::may_open(const place& p) const noexcept {
  return p.shared.empty() && !p.probing && p.busy < options_.max_per_origin;
}

// Tells whether a connection for this URL may turn out to be one of HTTP/2.
bool http_pool::may_be_shared(const http_url& url) const noexcept {
  return options_.http2
         && (url.secure() || (options_.http2->prior_knowledge() && !options_.proxy.at));
}

void http_pool::learned(http_client_connection& c, bool shared, bool probed) {
  const auto origin = c.origin();
  auto& p = places_[origin];
  if (probed)
    p.probing = false;
  p.only_one = !shared;
  if (shared)
    p.shared.push_back(&c);
  next(origin);
}

void http_pool::probe_failed(const std::string& origin) {
  places_[origin].probing = false;
}

void http_pool::shared_idle(http_client_connection& c) {
  const auto origin = c.origin();
  --places_[origin].busy;
  next(origin);
  if (c.under_way() == 0 && (closed_ || options_.max_idle_per_origin == 0))
    c.close_idle();
}

void http_pool::unshare(http_client_connection& c) {
  const auto origin = c.origin();
  if (const auto found = places_.find(origin); found != places_.end())
    std::erase(found->second.shared, &c);
  next(origin);
}

void http_pool::close_idle() {
  std::vector<http_client_connection*> all;
  for (auto& [key, p] : places_) {
    for (auto* const c : std::exchange(p.idle, {}))
      all.push_back(c);
    for (auto* const c : p.shared)
      if (c->under_way() == 0)
        all.push_back(c);
  }
  for (auto* const c : all)
    c->enter("an idle connection", [&] { c->close_idle(); });
  std::erase_if(places_, [](const auto& at) { return at.second.empty(); });
}

void http_pool::close() {
  closed_ = true;
  std::vector<http_job_ptr> all;
  for (auto& [key, p] : places_)
    for (auto& job : std::exchange(p.waiting, {}))
      all.push_back(std::move(job));
  close_idle();
  for (const auto& job : all)
    job->fail_with({errc::cancelled, "the agent is gone"});
}

} // namespace troupe::detail
