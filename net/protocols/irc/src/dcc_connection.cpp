#include <troupe/irc/dcc_connection.hpp>

#include <algorithm>
#include <memory>
#include <utility>

#include <caf/send.hpp>

#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::irc {

namespace {

struct waiting_port {
  std::string expected_host;
  duration wait;
  std::function<void(const failure&)> nobody_came;
  listening_port port{};
  bool over = false;

  // Lets go of all that has this.
  void close(const failure& why) {
    if (std::exchange(over, true))
      return;
    const auto open = std::exchange(port, {}).actor();
    const auto tell = std::exchange(nobody_came, {});
    if (why && tell)
      tell(why);
    if (open)
      caf::anon_send_exit(open,
                          caf::exit_reason::user_shutdown); // and not only stopped: it is done with
  }
};

/// Lets one connection in, which another factory builds.
class once_factory final : public factory {
public:
  once_factory(caf::actor_config& cfg, factory_ref inner, std::shared_ptr<waiting_port> of)
    : factory(cfg), inner_(std::move(inner)), of_(std::move(of)) {
    noisy = false;
  }

  void start_factory() override {
    inner_.start(system(), loop());
    inner_.get()->begin_use();
    started_ = true;
    call_later(of_->wait, [this] { of_->close(failure{errc::timed_out, "nobody has connected"}); });
  }

  void stop_factory() override {
    of_->close(loop().stopping() ? errc::runtime_stopped : errc::cancelled);
    if (std::exchange(started_, false))
      inner_.get()->enter([this] { inner_.get()->do_stop(); });
    quit();
  }

  protocol_ptr build(const net_address& peer, event_loop& where) override {
    const auto& expected = of_->expected_host;
    if (of_->over || taken_ || (!expected.empty() && peer.host() != expected))
      return nullptr;
    taken_ = true;
    // Not while the port is in the middle of it.
    loop().post([of = of_] { of->close({}); });
    protocol_ptr built;
    inner_.get()->enter([&] { built = inner_.get()->build(peer, where); });
    return built;
  }
  protocol_ptr build_protocol(const net_address&) override { return nullptr; }

private:
  const factory_ref inner_;
  const std::shared_ptr<waiting_port> of_;
  bool started_ = false;
  bool taken_ = false;
};

} // namespace

listening_port listen_dcc(runtime& rt, const factory_ref& f, const dcc_listen_options& options,
                          std::function<void(const failure&)> nobody_came) {
  const auto waiting = std::make_shared<waiting_port>(
    waiting_port{options.expected_host, options.wait, std::move(nobody_came)});
  listen_options listen;
  listen.interface = options.interface;
  listen.backlog = 5;
  listen.placement = placement::same_loop;
  if (const auto* const here = event_loop::current();
      here != nullptr && &here->scheduler() == &rt.scheduler())
    listen.loop = here->index();
  waiting->port = listen_tcp(rt, options.port, factory::of<once_factory>(f, waiting), listen);
  return waiting->port;
}

dcc_chat::dcc_chat(caf::actor_config& cfg) : line_receiver(cfg) {
  set_delimiter("\n");
  set_max_length(511);
}

void dcc_chat::say(std::string_view text) {
  do {
    const auto end = std::min(text.find('\n'), text.size());
    auto one = text.substr(0, end);
    if (one.ends_with('\r'))
      one.remove_suffix(1);
    send_line(one);
    text.remove_prefix(std::min(end + 1, text.size()));
  } while (!text.empty());
}

void dcc_chat::line_received(std::string_view line) {
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  message(line);
}

void dcc_chat::line_length_exceeded(bytes_view data) {
  skip_line(data);
}

} // namespace troupe::irc
