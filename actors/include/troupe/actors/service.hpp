#pragma once

#include <memory>
#include <string>
#include <vector>

#include <troupe/runtime/deferred.hpp>

namespace troupe {

class multi_service;

/// A part of an application that is started and stopped: a port, a timer, a pool of connections.
///
/// A service is a plain object, not an actor; it belongs to a tree of services (`multi_service`,
/// `application`) which starts and stops it in order. It does not heal: that is a supervisor's work,
/// of which a service may be a child (`service_child`).
///
/// ```cpp
/// class greeter : public troupe::service {
/// public:
///   troupe::deferred<void> start_service() override {
///     std::puts("hello");
///     return service::start_service();
///   }
///   troupe::deferred<void> stop_service() override {
///     std::puts("goodbye");
///     return service::stop_service();
///   }
/// };
/// ```
///
/// Lifetime: held by `std::shared_ptr`, which `set_service_parent` needs.
/// Thread: one, usually loop 0's. Source: twisted.application.service.Service
class service : public std::enable_shared_from_this<service> {
public:
  service() = default;
  virtual ~service() = default;
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  /// Does what must be done before anything runs, while the process may still have rights that it
  /// gives up later: binding a low port. What it throws ends the start of the application.
  virtual void privileged_start_service() {}

  /// Starts. An override calls this one.
  ///
  /// \returns what fires when it has started
  [[nodiscard]] virtual deferred<void> start_service();

  /// Stops; it may be started again. An override calls this one.
  ///
  /// \returns what fires when it has stopped
  [[nodiscard]] virtual deferred<void> stop_service();

  /// Tells whether it was started and not stopped since.
  [[nodiscard]] bool running() const noexcept { return running_; }

  /// \throws std::logic_error if it has a parent, which knows it by its name
  void set_name(std::string name);
  [[nodiscard]] const std::string& service_name() const noexcept { return name_; }

  /// Makes it a part of `parent`, leaving another one before. It is started, privileged start first,
  /// if the parent runs.
  ///
  /// \returns what fires when it has left a former parent, and has started if it was to
  /// \throws std::logic_error if the parent has a service of that name
  chained<void> set_service_parent(multi_service& parent);

  /// Leaves its parent, and stops if that runs.
  ///
  /// \throws std::logic_error if there is no parent
  chained<void> disown_service_parent();

  [[nodiscard]] multi_service* service_parent() const noexcept { return parent_; }

private:
  friend class multi_service;
  std::string name_;
  multi_service* parent_ = nullptr;
  bool running_ = false;
  bool begun_ = false; // by its parent
};

/// Services that start and stop together, in order.
///
/// They are started in the order in which they were added, each when the one before it has started,
/// and told to stop in the opposite order, all of them whether or not one fails; it has stopped when
/// all have.
///
/// Source: twisted.application.service.MultiService
class multi_service : public service {
public:
  multi_service();
  ~multi_service() override;

  void privileged_start_service() override;

  /// Fails as the first one fails that does; those after it are then not started. Those before it
  /// run; stop this one to stop them.
  [[nodiscard]] deferred<void> start_service() override;

  /// Fails as the first one failed that did, when all have come to an end.
  [[nodiscard]] deferred<void> stop_service() override;

  /// Adds a service, and starts it if this one runs.
  ///
  /// \throws std::logic_error if it has another parent, or there is a service of that name
  chained<void> add_service(std::shared_ptr<service> s);

  /// Takes a service out, and stops it if this one runs.
  ///
  /// \throws std::logic_error if it is not one of these
  chained<void> remove_service(const std::shared_ptr<service>& s);

  /// Returns the service of that name, or null.
  [[nodiscard]] std::shared_ptr<service> get_service_named(const std::string& name) const;

  /// Returns the services in their order.
  [[nodiscard]] const std::vector<std::shared_ptr<service>>& services() const noexcept {
    return services_;
  }

private:
  friend class service;

  deferred<void> start_rest();
  static deferred<void> begin(service& s);
  static deferred<void> end(service& s);

  std::vector<std::shared_ptr<service>> services_;
  std::shared_ptr<multi_service*> self_; // null in it once this has ended
};

} // namespace troupe
