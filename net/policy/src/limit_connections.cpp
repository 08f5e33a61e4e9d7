#include <troupe/net/limit_connections.hpp>

#include <mutex>
#include <unordered_map>
#include <utility>

namespace troupe {

// -- in total -----------------------------------------------------------------------------------

limit_total_connections_factory::limit_total_connections_factory(
  caf::actor_config& cfg, factory_ref inner, std::size_t limit, std::optional<factory_ref> overflow,
  std::size_t overflow_limit)
  : wrapping_factory(cfg, std::move(inner)), limit_(limit), overflow_(std::move(overflow)),
    overflow_limit_(overflow_limit) {
  if (overflow_)
    overflow_->start(system(), loop());
}

void limit_total_connections_factory::start_factory() {
  wrapping_factory::start_factory();
  if (!overflow_)
    return;
  try {
    overflow_->get()->begin_use();
  } catch (...) {
    wrapping_factory::stop_factory();
    throw;
  }
}

void limit_total_connections_factory::stop_factory() {
  if (overflow_)
    overflow_->get()->do_stop();
  wrapping_factory::stop_factory();
}

protocol_ptr limit_total_connections_factory::build_protocol(const net_address& peer) {
  if (connections() < limit_)
    return wrapping_factory::build_protocol(peer);
  return overflow_ ? wrap_protocol_of(*overflow_->get(), peer) : nullptr;
}

bool limit_total_connections_factory::overflows() const noexcept {
  return overflow_ && connections() >= limit_ && connections() - limit_ >= overflow_limit_;
}

bool limit_total_connections_factory::has_room() const noexcept {
  return wrapping_factory::has_room() && !overflows();
}

void limit_total_connections_factory::when_room(task fn) {
  if (overflows())
    factory::when_room(std::move(fn));
  else
    wrapping_factory::when_room(std::move(fn));
}

// -- by peer ------------------------------------------------------------------------------------

// Connections end on all loops, and the next one of that peer must find the place free: so there
// is a lock instead of a message. It is held for one look-up a connection.
class limit_connections_by_peer_factory::counts {
public:
  bool enter(const std::string& host, std::size_t limit) {
    const std::lock_guard hold{mutex_};
    auto& count = open_[host];
    if (count < limit) {
      ++count;
      return true;
    }
    if (count == 0)
      open_.erase(host);
    return false;
  }

  void leave(const std::string& host) {
    const std::lock_guard hold{mutex_};
    const auto found = open_.find(host);
    if (found != open_.end() && --found->second == 0)
      open_.erase(found);
  }

private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_;
};

/// Gives its peer's place back at the end.
class limit_connections_by_peer_factory::counted : public protocol_wrapper {
public:
  counted(std::shared_ptr<counts> all, std::string host)
    : all_(std::move(all)), host_(std::move(host)) {}
  void ended() override { all_->leave(host_); }
  bool may_move() const noexcept override { return true; }

private:
  const std::shared_ptr<counts> all_;
  const std::string host_;
};

limit_connections_by_peer_factory::limit_connections_by_peer_factory(caf::actor_config& cfg,
                                                                     factory_ref inner,
                                                                     std::size_t limit)
  : wrapping_factory(cfg, std::move(inner)), limit_(limit), counts_(std::make_shared<counts>()) {}

limit_connections_by_peer_factory::~limit_connections_by_peer_factory() = default;

protocol_ptr limit_connections_by_peer_factory::build_protocol(const net_address& peer) {
  using kind = net_address::kind;
  host_ = peer.type() == kind::ipv4 || peer.type() == kind::ipv6 ? peer.host() : std::string{};
  if (!host_.empty() && !counts_->enter(host_, limit_))
    return nullptr;
  const auto host = host_;
  try {
    auto built = wrapping_factory::build_protocol(peer);
    if (!built && !host.empty())
      counts_->leave(host);
    return built;
  } catch (...) {
    if (!host.empty())
      counts_->leave(host);
    throw;
  }
}

std::unique_ptr<protocol_wrapper> limit_connections_by_peer_factory::make_wrapper() {
  if (host_.empty())
    return wrapping_factory::make_wrapper();
  return std::make_unique<counted>(counts_, host_);
}

} // namespace troupe
