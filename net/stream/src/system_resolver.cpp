#include <troupe/net/resolver.hpp>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include <asio/execution_context.hpp>
#include <netdb.h>

#include <troupe/net/host_name.hpp>
#include <troupe/runtime/detail/abandoning_promise.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "loop_time.hpp"
#include "socket_address.hpp"

namespace troupe {

namespace {

outcome<std::vector<net_address>> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error == EAI_NONAME || error == EAI_ADDRFAMILY || error == EAI_NODATA) {
    hints.ai_flags = 0; // the loopback interface does not count as one for AI_ADDRCONFIG
    error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  }
  if (error != 0) {
    const auto* const why =
      error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error); // NOLINT
    return failure{errc::unknown_host, host + ": " + why};
  }
  std::vector<net_address> result;
  for (const auto* a = found; a != nullptr; a = a->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, a->ai_addr, std::min<std::size_t>(a->ai_addrlen, sizeof storage));
    const auto address = detail::socket_address{storage}.to_address();
    if (address.type() != net_address::kind::none)
      result.emplace_back(address.type(), address.host(), port);
  }
  ::freeaddrinfo(found);
  if (result.empty())
    return failure{errc::unknown_host, host + ": it has no IP address"};
  return result;
}

/// Keeps a loop's resolver.
class resolver_service final : public asio::execution_context::service {
public:
  using key_type = resolver_service;
  static inline asio::execution_context::id id;
  explicit resolver_service(asio::execution_context& context) : service(context) {}
  std::shared_ptr<system_resolver> used;

private:
  void shutdown() override { used.reset(); }
};

} // namespace

/// Somebody who waits for an answer.
struct system_resolver::lookup {
  detail::abandoning_promise<std::vector<net_address>> answer;
  detail::tracked_call limit;
};

/// What the threads and the resolver share.
struct system_resolver::shared : std::enable_shared_from_this<shared> {
  struct job {
    std::uint64_t id;
    std::string host;
    std::uint16_t port;
  };

  mutable std::mutex mutex;
  std::deque<job> queue;
  std::size_t workers = 0;
  system_resolver* owner = nullptr; // null once it has ended

  void work() {
    std::unique_lock lock{mutex};
    while (!queue.empty() && owner != nullptr) {
      const auto job = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      auto found = look_up(job.host, job.port);
      lock.lock();
      if (owner != nullptr) // with the mutex held: neither it nor the loop ends meanwhile
        owner->loop_.post(
          [self = shared_from_this(), id = job.id, found = std::move(found)]() mutable {
            if (self->owner != nullptr) // which changes in the loop's thread only
              self->owner->answered(id, std::move(found));
          });
    }
    --workers;
  }
};

system_resolver::system_resolver(runtime&, event_loop& loop)
  : loop_(loop), clock_(detail::clock_of(loop)), shared_(std::make_shared<shared>()) {
  shared_->owner = this;
}

system_resolver::~system_resolver() {
  const std::lock_guard hold{shared_->mutex};
  shared_->owner = nullptr;
  shared_->queue.clear();
}

std::shared_ptr<system_resolver> system_resolver::of(runtime& rt, event_loop& loop) {
  auto& service = asio::use_service<resolver_service>(loop.io());
  if (!service.used)
    service.used = std::make_shared<system_resolver>(rt, loop);
  return service.used;
}

deferred<std::vector<net_address>> system_resolver::resolve(const std::string& host,
                                                            std::uint16_t port) {
  auto ascii = ascii_host_name(host);
  if (!ascii)
    return fail<std::vector<net_address>>({errc::unknown_host, ascii.error().message()});
  const auto id = next_id_++;
  auto& waits = waiting_[id];
  waits.answer = detail::abandoning_promise<std::vector<net_address>>{
    promise<std::vector<net_address>>([this, id] { waiting_.erase(id); })};
  waits.limit.start(clock_, lookup_timeout, [this, id, host] {
    answered(id, failure{errc::timed_out, host});
  });
  auto result = waits.answer->get_deferred();
  std::unique_lock hold{shared_->mutex};
  shared_->queue.push_back({id, *std::move(ascii), port});
  if (shared_->workers == max_threads)
    return result;
  try {
    std::thread([s = shared_] { s->work(); }).detach();
    ++shared_->workers;
  } catch (const std::system_error& e) {
    if (shared_->workers > 0)
      return result; // those that there are will do it
    shared_->queue.clear();
    hold.unlock();
    answered(id, failure{errc::unknown_host, host + ": no thread to look it up: " + e.what()});
  }
  return result;
}

void system_resolver::answered(std::uint64_t id, outcome<std::vector<net_address>> found) {
  if (auto node = waiting_.extract(id)) // else it was cancelled, or too late
    node.mapped().answer->fire(std::move(found));
}

std::size_t system_resolver::queued() const {
  const std::lock_guard hold{shared_->mutex};
  return shared_->queue.size();
}

std::size_t system_resolver::workers() const {
  const std::lock_guard hold{shared_->mutex};
  return shared_->workers;
}

} // namespace troupe
