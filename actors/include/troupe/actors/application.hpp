#pragma once

#include <string>

#include <troupe/actors/service.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// The services of a program, which start and stop with its runtime.
///
/// ```cpp
/// int main() {
///   troupe::runtime rt;
///   troupe::application app{rt, "chat"};
///   app.add_service(std::make_shared<troupe::tcp_service>(rt, 8123, chat_factory()));
///   return app.run().exit_code();
/// }
/// ```
///
/// `run` does the privileged starts before anything runs, and what they throw leaves `run`. The
/// services start when the reactor runs. One that fails to is logged, and the runtime gives up. When the
/// runtime stops, by whichever way, the services are told to stop and waited for while everything
/// still works, at most for the runtime's grace time.
///
/// Lifetime: no longer than the runtime's. Thread: that of `runtime::run`.
/// Source: twisted.application.service.Application, twisted.application.app.startApplication
class application : public multi_service {
public:
  application(runtime& rt, std::string name);

  /// Runs the runtime with the services, and returns how that ended: it gave up if a service could not
  /// be started. \throws what `runtime::run` and a privileged start throw
  run_result run();

private:
  void start();
  deferred<void> stop();

  runtime& rt_;
};

} // namespace troupe
