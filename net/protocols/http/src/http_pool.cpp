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
    options_.tls.emplace();
  return *options_.tls;
}

std::size_t http_pool::idle() const noexcept {
  std::size_t all = 0;
  for (const auto& [key, p] : places_)
    all += p.idle.size();
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
  if (!job->fresh && !p.idle.empty()) {
    auto* const c = p.idle.back();
    p.idle.pop_back();
    ++p.busy;
    return give(*c, job);
  }
  if (p.busy < options_.max_per_origin) {
    ++p.busy;
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
  if (auto* const c = std::exchange(job.connection, nullptr)) {
    c->enter("a request", [&] { c->abandon(); });
    return;
  }
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
    if (p.waiting.empty() || p.busy >= options_.max_per_origin) {
      if (p.waiting.empty() && p.busy == 0 && p.idle.empty())
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

void http_pool::close_idle() {
  std::vector<http_client_connection*> all;
  for (auto& [key, p] : places_)
    for (auto* const c : std::exchange(p.idle, {}))
      all.push_back(c);
  for (auto* const c : all)
    c->enter("an idle connection", [&] { c->close_idle(); });
  std::erase_if(places_, [](const auto& at) {
    return at.second.busy == 0 && at.second.waiting.empty() && at.second.idle.empty();
  });
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
