#include <troupe/actors/router.hpp>

#include <algorithm>
#include <stdexcept>

#include <asio/execution_context.hpp>
#include <caf/make_actor.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/runtime.hpp>

#include "router_actor.hpp"

namespace troupe {

namespace {

/// Knows a runtime's routers, at its first loop, and closes them with it: what they keep must not outlive it.
class routers_service final : public asio::execution_context::service {
public:
  using key_type = routers_service;
  static inline asio::execution_context::id id;
  explicit routers_service(asio::execution_context& context) : service(context) {}

  void add(const caf::strong_actor_ptr& router) {
    const std::lock_guard hold{mutex_};
    if (routers_.size() == routers_.capacity())
      std::erase_if(routers_, [](const auto& weak) { return !weak.lock(); });
    routers_.emplace_back(router.get());
  }

private:
  void shutdown() override {
    for (const auto& weak : std::exchange(routers_, {}))
      if (const auto router = weak.lock())
        static_cast<detail::router_actor*>(router->get())
          ->cleanup(caf::exit_reason::user_shutdown, nullptr);
  }

  std::mutex mutex_;
  std::vector<caf::weak_actor_ptr> routers_;
};

} // namespace

// FNV-1a, and the last step of splitmix64, without which keys that differ at their ends are neighbours.
std::uint64_t routing_hash(std::string_view key) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : key)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return routing_hash(hash);
}

std::uint64_t routing_hash(std::uint64_t key) noexcept {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
  key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
  return key ^ (key >> 31);
}

router::router() noexcept = default;
router::router(const router&) noexcept = default;
router::router(router&&) noexcept = default;
router& router::operator=(const router&) noexcept = default;
router& router::operator=(router&&) noexcept = default;
router::~router() = default;

router::router(runtime& rt, router_options options) {
  if (options.by == routing::consistent_hash && (!options.key || options.points == 0))
    throw std::invalid_argument("router: consistent_hash needs a key, and points on the ring");
  auto& system = rt.system();
  caf::actor_config cfg;
  self_ = caf::make_actor<detail::router_actor, caf::strong_actor_ptr>(
    system.next_actor_id(), system.node(), &system, cfg, rt.scheduler(), std::move(options));
  asio::use_service<routers_service>(rt.scheduler().loop(0).io()).add(self_);
}

detail::router_actor& router::actor() const {
  if (!self_)
    throw std::logic_error("router: this is none");
  return *static_cast<detail::router_actor*>(self_->get());
}

bool router::join(const caf::actor& member, std::string_view name) const {
  return actor().join(caf::actor_cast<caf::strong_actor_ptr>(member), name);
}

bool router::leave(const caf::actor& member) const {
  return member && actor().leave(*caf::actor_cast<caf::abstract_actor*>(member));
}

std::vector<caf::actor> router::members() const {
  return actor().members();
}

std::size_t router::size() const {
  return actor().size();
}

caf::actor router::handle() const {
  return caf::actor_cast<caf::actor>(self_);
}

caf::actor router::member_for(std::uint64_t hash) const {
  return actor().member_for(hash);
}

outcome<detail::chosen_member> router::choose(const caf::type_erased_tuple& question) const {
  return actor().choose(question);
}

child_spec member_of(router pool, child_spec spec) {
  spec.start = [pool = std::move(pool), start = std::move(spec.start),
                name = spec.id](supervisor& parent) {
    return start(parent).add_callback([pool, name](caf::actor child) {
      if (child)
        pool.join(child, name);
      return child;
    });
  };
  return spec;
}

} // namespace troupe
