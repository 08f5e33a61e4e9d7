#include <troupe/net/process_child.hpp>

#include <cstring>
#include <optional>

#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/actors/supervisor.hpp>
#include <troupe/net/process_protocol.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "spawn_on.hpp"

namespace troupe {

namespace {

/// What the supervisor waits for: the actor, once the program runs.
using start = promise<caf::actor>;

/// Stands for a program among a supervisor's children.
class kept_process final : public process_protocol {
public:
  kept_process(caf::actor_config& cfg, std::shared_ptr<start> started, std::string command,
               duration kill_after, int signal)
    : process_protocol(cfg), started_(std::move(started)), command_(std::move(command)),
      kill_after_(kill_after), signal_(signal) {
    set_exit_handler([this](caf::exit_msg& message) {
      if (message.reason && message.reason != caf::exit_reason::normal)
        end_program(message.reason);
    });
  }

  void connection_made() override {
    if (started_->called()) // the supervisor does not wait any more
      return quit(caf::exit_reason::user_shutdown);
    started_->callback(caf::actor{this});
  }

  void process_exited(const failure&) override {
    if (told_to_end_)
      quit(*told_to_end_);
  }

  void process_ended(const failure& why) override {
    if (connected())
      transport().signal_group(SIGKILL); // nothing if it has exited
    if (!started_->called())
      started_->errback(why);
  }

  std::string log_prefix() const override { return command_; }

protected:
  void stop_requested() override { end_program(caf::exit_reason::user_shutdown); }

private:
  void end_program(caf::error reason) {
    if (told_to_end_)
      return;
    told_to_end_ = std::move(reason);
    if (!connected()) // it has yet to start
      return quit(*told_to_end_);
    if (kill_after_ <= duration::zero())
      return kill();
    transport().signal_group(signal_);
    if (kill_after_ != duration::max())
      call_later(kill_after_, [this] {
        loop().scheduler().logger().warn(
          "[{}] has not ended within {:.1f} s of SIG{}; killing it", log_prefix(),
          std::chrono::duration<double>(kill_after_).count(), name_of(signal_));
        kill();
      });
  }

  // A stopped one too. Its exit is waited for.
  void kill() { transport().signal_group(SIGKILL); }

  static std::string name_of(int signal) {
    const char* const name = ::sigabbrev_np(signal);
    return name != nullptr ? name : std::to_string(signal);
  }

  const std::shared_ptr<start> started_;
  const std::string command_;
  const duration kill_after_;
  const int signal_;
  std::optional<caf::error> told_to_end_; // and why
};

} // namespace

child_spec process_child(std::string id, std::string command, std::vector<std::string> args,
                         process_child_options options) {
  options.process.own_group = true;
  // The supervisor kills the actor when its time is over; by then the program was killed.
  const auto shutdown = options.kill_after > duration::max() - child_spec::default_shutdown
                          ? child_spec::infinity
                          : options.kill_after + child_spec::default_shutdown;
  const auto restart = options.restart;
  auto begin = [command = std::move(command), args = std::move(args),
                options = std::move(options)](supervisor& parent) {
    const auto started = std::make_shared<start>();
    auto result = started->get_deferred();
    detail::spawn_process_on(
      parent.loop(), parent.system(),
      build<kept_process>(started, command, options.kill_after, options.signal), command, args,
      options.process);
    return result;
  };
  return {.id = std::move(id), .start = std::move(begin), .restart = restart, .shutdown = shutdown};
}

} // namespace troupe
