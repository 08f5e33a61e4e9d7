#pragma once

#include <string>

#include <troupe/net/process_status.hpp>
#include <troupe/net/process_transport.hpp>
#include <troupe/net/transport_actor.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe {

/// What is spoken with one child process: an actor that is pinned to a loop.
///
/// States: waiting -> (`connection_made`) running -> (`process_exited`) exited -> (`process_ended`)
/// ended. The process may close its pipes before or after it exits; `process_ended` comes when it has
/// exited and all pipes are closed. A grandchild that holds a pipe delays that; `lose_connection`
/// does not wait for it.
///
/// If the actor ends first, by `quit` or by an exception in a callback, which is logged, its pipes
/// are closed, and `process_ended` gets that reason. The process is not killed; it is waited for, so
/// that no zombie stays. When the runtime stops, pipes are closed once everything written is sent,
/// and the protocol ends without waiting for the exit; override `stop_requested` to do more, such as
/// to send a signal, and `process_ended` will come within the grace time.
///
/// ```cpp
/// class word_count : public troupe::process_protocol {
/// public:
///   using process_protocol::process_protocol;
///   void connection_made() override {
///     transport().write("some words");
///     transport().close_stdin();
///   }
///   void out_received(troupe::bytes_view data) override { ... }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.internet.protocol.ProcessProtocol
class process_protocol : public transport_actor {
public:
  using super = transport_actor;

  explicit process_protocol(caf::actor_config& cfg);
  ~process_protocol() override;

  // -- what to override -------------------------------------------------------------------------

  /// The process runs.
  virtual void connection_made() {}

  /// The process wrote to its standard output, or error; at most 65,536 bytes, good for this call
  /// only.
  virtual void out_received(bytes_view data);
  virtual void err_received(bytes_view data);

  /// The process wrote to its descriptor `fd`. Calls the two above for 1 and 2.
  virtual void child_data_received(int fd, bytes_view data);

  /// The pipe of standard input, output or error is closed, by either side.
  virtual void in_connection_lost() {}
  virtual void out_connection_lost() {}
  virtual void err_connection_lost() {}

  /// The pipe of `fd` is closed; called once for each. Calls the three above for 0, 1 and 2.
  virtual void child_connection_lost(int fd);

  /// The process has exited; pipes may still hold what it wrote.
  ///
  /// `reason` is `errc::process_done`, or `errc::process_terminated` with the exit code or signal
  /// (`status_of`).
  virtual void process_exited(const failure& reason);

  /// All is over, and the actor ends with it. Called exactly once, also if there never was a process.
  ///
  /// `reason` is that of `process_exited` if the process has exited. Otherwise it is
  /// `errc::spawn_failed` (with a text) if it could not be started, and then this is the only call;
  /// `errc::runtime_stopped`, the exception that left a callback, or the reason with which the actor
  /// quit.
  virtual void process_ended(const failure& reason);

  // -- what it has ------------------------------------------------------------------------------

  /// Returns the pipes. From `connection_made` to `process_ended`, both included.
  ///
  /// \throws std::logic_error before, as in the constructor, and if the process was never started
  [[nodiscard]] process_transport& transport() const {
    if (transport_ == nullptr) [[unlikely]]
      refuse_transport();
    return *transport_;
  }

  /// Tells whether there is a process, or there was one and `process_ended` has not returned.
  [[nodiscard]] bool connected() const noexcept { return transport_ != nullptr; }

  // -- for transports ---------------------------------------------------------------------------

  void make_connection(process_transport& t);
  void exited(const failure& reason); ///< calls `process_exited`, and remembers
  void end(const failure& reason);    ///< ends the actor, which calls `process_ended`

  // -- CAF's side -------------------------------------------------------------------------------

  const char* name() const override;

  /// Returns the name under which it logs, and the process while that runs.
  [[nodiscard]] std::string log_name() const override;
  void on_exit() final;

protected:
  void stop_requested() override;
  void fail_with_current_exception() override;

private:
  [[noreturn]] static void refuse_transport();

  process_transport* transport_ = nullptr;
  failure exit_;   // how the process ended, once that is known
  failure reason_; // why the protocol ends
};

} // namespace troupe
