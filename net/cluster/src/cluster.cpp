#include <troupe/cluster/cluster.hpp>

#include <utility>

#include "cluster_core.hpp"

namespace troupe {

std::weak_ptr<const detail::cluster_core> detail::core_of(const cluster& of) noexcept {
  return of.core_;
}

cluster::cluster(runtime& rt, cluster_options options)
  : core_(std::make_shared<detail::cluster_core>(rt, std::move(options), nullptr)) {
  core_->start();
}

cluster::cluster(runtime& rt, cluster_options options, clock& time)
  : core_(std::make_shared<detail::cluster_core>(rt, std::move(options), &time)) {
  core_->start();
}

cluster::~cluster() {
  core_->end();
}

const std::string& cluster::name() const noexcept {
  return core_->options().name;
}

const cluster_options& cluster::options() const noexcept {
  return core_->options();
}

runtime& cluster::home() const noexcept {
  return core_->home_runtime();
}

own_state cluster::state() const noexcept {
  return core_->state();
}

bool cluster::ready() const noexcept {
  return core_->ready();
}

std::uint64_t cluster::incarnation() const noexcept {
  return core_->incarnation();
}

std::vector<node_info> cluster::nodes() const {
  return core_->nodes();
}

std::size_t cluster::topics_here() const noexcept {
  return core_->topics_here();
}

std::size_t cluster::topics_elsewhere() const noexcept {
  return core_->topics_elsewhere();
}

cluster_counters cluster::counters() const noexcept {
  return core_->counters();
}

deferred<void> cluster::leave() {
  return core_->leave();
}

void cluster::before_leaving(std::function<deferred<void>()> fn) {
  core_->before_leaving(std::move(fn));
}

deferred<void> cluster::drain(drain_options how) {
  return core_->drain(how);
}

void cluster::add_client(caf::strong_actor_ptr who, std::function<void()> fn) {
  core_->on_drain(std::move(who), std::move(fn));
}

void cluster::unserve(const std::string& name) {
  core_->unserve(name);
}

cluster_actor cluster::actor(std::string name, std::string node) const {
  return {core_, std::move(name), std::move(node)};
}

void cluster::unwatch(std::uint64_t number) {
  core_->unwatch(number);
}

void cluster::add_name_observer(caf::strong_actor_ptr who, std::string name,
                                std::function<void(const std::vector<std::string>&)> fn) {
  core_->observe_name(std::move(who), std::move(name), std::move(fn));
}

bool cluster::serve_pointer(const std::string& name, caf::strong_actor_ptr who,
                            while_draining drains) {
  return core_->serve(name, std::move(who), drains);
}

bool cluster::serve_name(const std::string& name, const named_actor& who, while_draining drains) {
  return core_->serve(name, who, drains);
}

std::uint64_t cluster::add_watch(caf::strong_actor_ptr who, std::string name, std::string node,
                                 std::function<void(const failure&)> fn) {
  return core_->watch(std::move(who), std::move(name), std::move(node), std::move(fn));
}

cluster::operator const topic_sharing&() const noexcept {
  return core_->sharing();
}

void cluster::add_observer(caf::strong_actor_ptr who, std::function<void(const node_event&)> fn) {
  core_->add_observer(std::move(who), std::move(fn));
}

} // namespace troupe
