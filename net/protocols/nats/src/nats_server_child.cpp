#include <troupe/nats/nats_server_child.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <memory>

#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/actors/supervisor.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/spawn_process.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

constexpr int config_fd = 3;
constexpr std::size_t longest_line = 4096;

/// Asks a server for its health: the answer is the reason with which the connection ends.
class health_probe final : public protocol {
public:
  health_probe(caf::actor_config& cfg, std::shared_ptr<std::string> answer)
    : protocol(cfg), answer_(std::move(answer)) {}
  void connection_made() override {
    transport().write("GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
  }
  void data_received(bytes_view data) override {
    answer_->append(as_text(data).substr(0, 256 - std::min<std::size_t>(answer_->size(), 256)));
    if (answer_->find("\r\n") != std::string::npos)
      transport().lose_connection();
  }

private:
  std::shared_ptr<std::string> answer_;
};

/// What all starts of a child share.
struct server_family {
  server_family(runtime& r, nats_server_options o) : rt(r), options(std::move(o)) {}
  runtime& rt;
  const nats_server_options options;
  std::atomic<std::uint16_t> port{options.port};
};

/// Tells the supervisor, on its own loop, how a start has ended.
class start_report {
public:
  explicit start_report(event_loop& home) : home_(home) {}
  deferred<caf::actor> result() { return promise_.get_deferred(); }
  static void tell(const std::shared_ptr<start_report>& self, outcome<caf::actor> how) {
    self->home_.post([self, how = std::move(how)]() mutable {
      if (!self->promise_.called())
        self->promise_.fire(std::move(how));
    });
  }

private:
  event_loop& home_;
  promise<caf::actor> promise_;
};

/// A nats-server that runs.
class nats_server_process final : public process_protocol {
public:
  nats_server_process(caf::actor_config& cfg, std::shared_ptr<server_family> family,
                      std::shared_ptr<start_report> report)
    : process_protocol(cfg), family_(std::move(family)), report_(std::move(report)) {
    set_exit_handler([this](caf::exit_msg& message) {
      if (message.reason && message.reason != caf::exit_reason::normal)
        end_server(message.reason);
    });
  }

  void connection_made() override {
    transport().write_to_child(config_fd, nats_server_config(family_->options, family_->port));
    transport().close_child_fd(config_fd);
    address_.pid = transport().pid().value_or(0);
    if (family_->options.start_timeout != duration::max())
      call_later(family_->options.start_timeout, [this] {
        if (!ready_) {
          complaint_ = "it was not ready in time";
          kill();
        }
      });
  }

  void err_received(bytes_view data) override {
    for (auto text = as_text(data); !text.empty();) {
      const auto end = text.find('\n');
      const auto piece = text.substr(0, end);
      line_.append(piece.substr(0, longest_line - std::min(line_.size(), longest_line)));
      if (end == std::string_view::npos)
        return;
      said(std::exchange(line_, {}));
      text.remove_prefix(end + 1);
    }
  }

  void process_exited(const failure& how) override {
    exit_ = how;
    if (told_to_end_)
      quit(*told_to_end_);
  }

  void process_ended(const failure& why) override {
    if (connected())
      transport().signal_group(SIGKILL); // nothing if it has exited
    if (ready_)
      return;
    if (why.check(errc::spawn_failed)) {
      const bool usual = family_->options.program == nats_server_options{}.program;
      return start_report::tell(
        report_, usual ? failure{errc::spawn_failed,
                                 why.context() + " (it is in Debian's package nats-server)"}
                       : why);
    }
    start_report::tell(
      report_, failure{errc::child_start_failed, complaint_.empty() ? why.message() : complaint_});
  }

  std::string log_prefix() const override { return "nats-server"; }

protected:
  void stop_requested() override { end_server(caf::exit_reason::user_shutdown); }

private:
  spdlog::logger& log() const { return loop().scheduler().logger(); }

  // A line of its log: "[4711] [INF] Server is ready".
  void said(const std::string& line) {
    const auto shown = escape_text(line, longest_line);
    const bool bad = line.find("[ERR]") != std::string::npos
                     || line.find("[FTL]") != std::string::npos
                     || line.starts_with("nats-server: ");
    if (bad || line.find("[WRN]") != std::string::npos)
      log().warn("[nats-server] {}", shown);
    else
      log().debug("[nats-server] {}", shown);
    if (bad)
      complaint_ = shown;
    if (ready_)
      return;
    note_port(line, "Listening for client connections on ", address_.port);
    note_port(line, "Starting http monitor on ", address_.monitor_port);
    if (line.find("Server is ready") != std::string::npos)
      ready();
  }

  static void note_port(const std::string& line, std::string_view title, std::uint16_t& into) {
    if (line.find(title) == std::string::npos)
      return;
    const auto colon = line.rfind(':');
    if (colon != std::string::npos)
      std::from_chars(line.data() + colon + 1, line.data() + line.size(), into);
  }

  void ready() {
    ready_ = true;
    const auto& o = family_->options;
    if (address_.port == 0)
      address_.port = family_->port;
    family_->port = address_.port;
    address_.host = o.host;
    address_.url = (o.tls ? "tls://" : "nats://")
                   + (o.host.find(':') != std::string::npos ? '[' + o.host + ']' : o.host) + ':'
                   + std::to_string(address_.port);
    if (o.started)
      o.started(address_);
    start_report::tell(report_, caf::actor{this});
    if (o.health_interval != duration::max() && address_.monitor_port != 0)
      call_later(o.health_interval, [this] { look(); });
  }

  // Asks how it is; an answer that has not come until the next time is a failure.
  void look() {
    if (told_to_end_ || exit_)
      return;
    const auto& o = family_->options;
    if (answer_ && answer_->find(" 200 ") == std::string::npos) {
      if (++failures_ >= o.health_failures) {
        log().warn("[nats-server] it is not well ({}); killing it",
                   answer_->empty() ? "no answer" : escape_text(*answer_, 64));
        return kill();
      }
    } else {
      failures_ = 0;
    }
    answer_ = std::make_shared<std::string>();
    tcp_client_endpoint to{
      family_->rt, "127.0.0.1", address_.monitor_port, {.timeout = o.health_interval}};
    connect_protocol<health_probe>(to, answer_).add_errback([](const failure&) {
    }); // counted by the next look
    call_later(o.health_interval, [this] { look(); });
  }

  void end_server(caf::error reason) {
    if (told_to_end_)
      return;
    told_to_end_ = std::move(reason);
    if (!connected()) // it has yet to start
      return quit(*told_to_end_);
    const auto patience = family_->options.kill_after;
    if (patience <= duration::zero())
      return kill();
    transport().signal_group(SIGTERM);
    if (patience != duration::max())
      call_later(patience, [this] { kill(); });
  }

  // Its exit is waited for.
  void kill() { transport().signal_group(SIGKILL); }

  const std::shared_ptr<server_family> family_;
  const std::shared_ptr<start_report> report_;
  nats_server_address address_;
  std::string line_;      // the beginning of one
  std::string complaint_; // the latest
  bool ready_ = false;
  failure exit_;
  std::shared_ptr<std::string> answer_; // to the latest question for its health
  std::size_t failures_ = 0;
  std::optional<caf::error> told_to_end_; // and why
};

} // namespace

child_spec nats_server_child(runtime& rt, std::string id, nats_server_options options) {
  (void)nats_server_config(options, options.port);
  const auto shutdown = options.kill_after > duration::max() - child_spec::default_shutdown
                          ? child_spec::infinity
                          : options.kill_after + child_spec::default_shutdown;
  const auto restart = options.restart;
  const auto family = std::make_shared<server_family>(rt, std::move(options));
  auto begin = [family](supervisor& parent) {
    const auto report = std::make_shared<start_report>(parent.loop());
    auto result = report->result();
    process_options how{.child_fds = {{0, child_fd::nothing()},
                                      {1, child_fd::nothing()},
                                      {2, child_fd::we_read()},
                                      {config_fd, child_fd::we_write()}}};
    how.own_group = true;
    how.parent_death_signal = SIGKILL;
    (void)spawn_process(family->rt, build<nats_server_process>(family, report),
                        family->options.program, {"-c", "/dev/fd/3"}, how);
    return result;
  };
  return {.id = std::move(id), .start = std::move(begin), .restart = restart, .shutdown = shutdown};
}

} // namespace troupe
