#include <troupe/nats_backplane/nats_backplane.hpp>

#include <utility>

#include <troupe/nats/nats_connection.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace {

constexpr duration close_within = std::chrono::seconds(5);

class nats_link final : public backplane_link {
public:
  nats_link(const backplane_site& site, nats_options options, backplane_events& events)
    : rt_(site.rt), events_(events), node_(site.node), all_(site.cluster + ".all."),
      to_(site.cluster + ".n."),
      nats_(site.rt, with(std::move(options), [this](const nats_event& e) { happened(e); })) {
    subscriptions_[0] =
      nats_.subscribe(all_ + '*', [this](const nats_message_view& m) { received(m); });
    subscriptions_[1] =
      nats_.subscribe(to_ + node_ + ".*", [this](const nats_message_view& m) { received(m); });
    (void)nats_.start_service();
    nats_.when_connected(1).add_errback([this](const failure& why) {
      if (!over_)
        events_.backplane_down(why); // it goes on trying
    });
  }

  ~nats_link() override { over_ = true; }

  void send(std::string_view node, bytes_view message) override {
    publish(to_ + std::string{node} + '.' + node_, message);
  }
  void send_all(bytes_view message) override { publish(all_ + node_, message); }

  [[nodiscard]] std::size_t unsent() const override { return nats_.unsent(); }
  [[nodiscard]] std::size_t longest_message() const override {
    return nats_.server_info().max_payload;
  }

  [[nodiscard]] deferred<void> close() override {
    over_ = true;
    return nats_.drain(close_within).add_errback([](const failure&) {});
  }

private:
  static nats_options with(nats_options o, std::function<void(const nats_event&)> on_event) {
    o.on_event = std::move(on_event);
    return o;
  }

  // Only while it is up, so that nothing is kept for a later time. What does not go out is lost, as anything may be; the cluster notices.
  void publish(const std::string& subject, bytes_view message) {
    if (!up_ || over_)
      return;
    if (const auto why = nats_.publish(subject, as_text(message)))
      rt_.repeats().note("nats_backplane " + node_, log_level::warn, [&] {
        return "node " + node_ + " lost a message of " + std::to_string(message.size())
               + " bytes for other nodes: " + why.message() + "; " + std::to_string(nats_.unsent())
               + " bytes wait for the server (nats_options::max_unsent)";
      });
  }

  void happened(const nats_event& e) {
    if (over_)
      return;
    if (e.what == nats_event::kind::connected || e.what == nats_event::kind::reconnected) {
      // The server has had our subscriptions, too, before we say that we hear: who is told that may speak to us at once.
      nats_.flush(duration::max())
        .add_callbacks([this] { subscribed(); }, [](const failure&) {}); // it is lost again
    } else if (e.what == nats_event::kind::disconnected) {
      up_ = false;
      events_.backplane_down(e.why);
    }
  }

  void subscribed() {
    if (over_)
      return;
    up_ = true;
    events_.backplane_up();
  }

  void received(const nats_message_view& m) {
    const auto from = m.subject.substr(m.subject.rfind('.') + 1);
    if (!over_) // our own name: another process has it, which the cluster deals with
      events_.backplane_received(from, as_bytes(m.payload));
  }

  runtime& rt_;
  backplane_events& events_;
  const std::string node_;
  const std::string all_; // what subjects begin with
  const std::string to_;
  bool up_ = false;
  bool over_ = false;
  nats_connection nats_;
  nats_subscription subscriptions_[2];
};

} // namespace

nats_backplane::nats_backplane(nats_options options) : options_(std::move(options)) {
  options_.echo = false;
  options_.reconnect_buffer = 0;
  if (options_.ping_interval == nats_options{}.ping_interval)
    options_.ping_interval = std::chrono::milliseconds(500);
  if (options_.reconnect.max == nats_options{}.reconnect.max)
    options_.reconnect.max = std::chrono::milliseconds(500);
}

std::unique_ptr<backplane_link> nats_backplane::attach(const backplane_site& site,
                                                       backplane_events& events) {
  auto options = options_;
  options.name = site.node;
  return std::make_unique<nats_link>(site, std::move(options), events);
}

nats_server_user nats_backplane::user_of(const std::string& cluster, const std::string& node,
                                         nats_server_user user) {
  user.publish = {cluster + ".all." + node, cluster + ".n.*." + node};
  user.subscribe = {cluster + ".all.*", cluster + ".n." + node + ".*"};
  return user;
}

} // namespace troupe
