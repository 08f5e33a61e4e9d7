#include <troupe/net/get_process_output.hpp>

#include <csignal>
#include <memory>

#include "spawn_on.hpp"

namespace troupe {

namespace {

enum class keeps { all, one_text, nothing };

struct finished {
  std::string output;
  std::string errors;
  failure reason;
};

class collector;

/// Connects the deferred with the protocol. Thread: loop 0.
struct collection {
  collection() : done([this] { stop(); }) {}
  void stop();

  promise<finished> done;
  collector* by = nullptr; // while the process runs
  bool stopped = false;
};

class collector : public process_protocol {
public:
  collector(caf::actor_config& cfg, std::shared_ptr<collection> to, keeps what, run_options options)
    : process_protocol(cfg), to_(std::move(to)), what_(what), options_(std::move(options)) {}

  void connection_made() override {
    to_->by = this;
    if (to_->stopped)
      transport().signal_process(SIGKILL);
    transport().set_output_limits({.hard = options_.input.size() + 1});
    transport().write(std::exchange(options_.input, {}));
    transport().close_stdin();
  }

  void out_received(bytes_view data) override { keep(result_.output, data); }

  void err_received(bytes_view data) override {
    keep(what_ == keeps::one_text && options_.errors_too ? result_.output : result_.errors, data);
  }

  void process_ended(const failure& reason) override {
    to_->by = nullptr;
    if (to_->done.called())
      return;
    result_.reason = too_much_ ? failure{errc::message_too_long, "output of a process"} : reason;
    to_->done.callback(std::move(result_));
  }

private:
  void keep(std::string& text, bytes_view data) {
    if (what_ == keeps::nothing || too_much_)
      return;
    if (result_.output.size() + result_.errors.size() + data.size() > options_.max_output) {
      too_much_ = true;
      transport().signal_process(SIGKILL);
      transport().lose_connection(); // a grandchild may go on writing
      return;
    }
    text += as_text(data);
  }

  const std::shared_ptr<collection> to_;
  const keeps what_;
  run_options options_;
  finished result_;
  bool too_much_ = false;
};

void collection::stop() {
  stopped = true;
  if (by == nullptr)
    return;
  by->transport().signal_process(SIGKILL);
  by->transport().lose_connection();
}

deferred<finished> collect(runtime& rt, const std::string& executable,
                           std::vector<std::string> args, run_options options, keeps what) {
  auto to = std::make_shared<collection>();
  auto result = to->done.get_deferred();
  process_options process{.env = options.env, .directory = options.directory};
  detail::spawn_process_on(rt.scheduler().loop(0), rt.system(),
                           build<collector>(to, what, std::move(options)), executable,
                           std::move(args), std::move(process));
  return result;
}

// The exit code, unless it ended by a signal or never ran.
outcome<int> exit_code_of(const finished& f) {
  const auto status = status_of(f.reason);
  if (!status)
    return f.reason;
  if (!status->exit_code)
    return failure{process_terminated_error{*status, f.output, f.errors}};
  return *status->exit_code;
}

} // namespace

deferred<std::string> get_process_output(runtime& rt, const std::string& executable,
                                         std::vector<std::string> args) {
  return get_process_output(rt, executable, std::move(args), run_options{});
}

deferred<std::string> get_process_output(runtime& rt, const std::string& executable,
                                         std::vector<std::string> args, run_options options) {
  return deferred<std::string>(
    collect(rt, executable, std::move(args), std::move(options), keeps::one_text)
      .add_callback([](finished f) -> outcome<std::string> {
        if (!f.errors.empty())
          return failure{errc::process_wrote_errors, std::move(f.errors)};
        if (!status_of(f.reason))
          return f.reason;
        return std::move(f.output);
      }));
}

deferred<int> get_process_value(runtime& rt, const std::string& executable,
                                std::vector<std::string> args) {
  return get_process_value(rt, executable, std::move(args), run_options{});
}

deferred<int> get_process_value(runtime& rt, const std::string& executable,
                                std::vector<std::string> args, run_options options) {
  return deferred<int>(collect(rt, executable, std::move(args), std::move(options), keeps::nothing)
                         .add_callback([](const finished& f) { return exit_code_of(f); }));
}

deferred<process_output> get_process_output_and_value(runtime& rt, const std::string& executable,
                                                      std::vector<std::string> args) {
  return get_process_output_and_value(rt, executable, std::move(args), run_options{});
}

deferred<process_output> get_process_output_and_value(runtime& rt, const std::string& executable,
                                                      std::vector<std::string> args,
                                                      run_options options) {
  return deferred<process_output>(
    collect(rt, executable, std::move(args), std::move(options), keeps::all)
      .add_callback([](finished f) -> outcome<process_output> {
        const auto code = exit_code_of(f);
        if (!code)
          return code.error();
        return process_output{std::move(f.output), std::move(f.errors), *code};
      }));
}

} // namespace troupe
