#include <troupe/testing/memory_network.hpp>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <system_error>

#include <troupe/net/listening_port.hpp>

namespace troupe::testing {

struct memory_network::port : std::enable_shared_from_this<memory_network::port> {
  port(memory_network& n, std::uint16_t number, factory_ref factory, memory_options o)
    : network(n), f(std::move(factory)), options(std::move(o)) {
    options.server = {net_address::kind::ipv4, "127.0.0.1", number};
  }

  // As an acceptor does: while there is room, build, and connect or close.
  void accept() {
    while (!waiting.empty()) {
      if (!f.get()->has_room())
        return f.get()->when_room([self = shared_from_this()] { self->accept(); });
      const auto index = waiting.front();
      waiting.pop_front();
      auto& c = network.connections_[index];
      protocol_ptr built;
      f.get()->enter(
        [&] { built = f.get()->build(clients.front(), network.rt.scheduler().loop(0)); });
      clients.pop_front();
      if (!built) {
        c.close_server();
        continue;
      }
      network.protocols_.emplace_back(built->ctrl());
      c.open_server(*built);
    }
  }

  memory_network& network;
  const factory_ref f;
  memory_options options;
  std::deque<std::size_t> waiting; // connections that are not accepted
  std::deque<net_address> clients; // their other ends
};

memory_network::memory_network() = default;

memory_network::~memory_network() {
  rt.in_turn([this] {
    for (const auto& p : ports_)
      p->waiting.clear();                                 // nobody is let in any more
    for (std::size_t i = 0; i < protocols_.size(); ++i) { // the last words of one may add another
      auto& p = *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(protocols_[i]));
      if (p.connected())
        p.end_connection(errc::runtime_stopped);
    }
    rt.scheduler().loop(0).each_pinned(
      [](pinned_actor& a) { // those that were given theirs by another
        if (auto* const p = dynamic_cast<protocol*>(&a); p != nullptr && p->connected())
          p->end_connection(errc::runtime_stopped);
      });
  });
}

std::uint16_t memory_network::listen(std::uint16_t number, const factory_ref& f,
                                     memory_options options) {
  const auto taken = [this](std::uint16_t n) {
    return std::ranges::count(listening(), n) != 0;
  };
  if (number == 0)
    for (number = 8000; taken(number);)
      ++number;
  if (taken(number))
    throw cannot_listen_error({net_address::kind::ipv4, "127.0.0.1", number},
                              std::make_error_code(std::errc::address_in_use));
  auto added = std::make_shared<port>(*this, number, f, std::move(options));
  rt.in_turn([&] {
    f.start(rt.system(), rt.scheduler().loop(0));
    f.get()->begin_use();
    ports_.push_back(std::move(added));
  });
  return number;
}

void memory_network::stop_listening(std::uint16_t number) {
  const auto found =
    std::ranges::find_if(ports_, [&](const auto& p) { return p->options.server.port() == number; });
  if (found == ports_.end())
    throw std::logic_error("stop_listening: nothing listens at " + std::to_string(number));
  const auto stopped = *found;
  ports_.erase(found);
  rt.in_turn([&] {
    for (const auto index : std::exchange(stopped->waiting, {}))
      connections_[index].close_server();
    stopped->f.get()->do_stop();
  });
}

std::vector<std::uint16_t> memory_network::listening() const {
  std::vector<std::uint16_t> result;
  for (const auto& p : ports_)
    result.push_back(p->options.server.port());
  return result;
}

void memory_network::connect_protocol(std::uint16_t number, protocol& p) {
  const auto found =
    std::ranges::find_if(ports_, [&](const auto& x) { return x->options.server.port() == number; });
  if (found == ports_.end())
    throw std::system_error(make_error_code(errc::connection_refused));
  const auto to = *found;
  auto options = to->options;
  options.client = {net_address::kind::ipv4, client_host_, next_client_port_++};
  protocols_.emplace_back(p.ctrl());
  rt.in_turn([&] {
    const auto index = connections_.size();
    connections_.emplace_back(rt.scheduler().loop(0), options);
    connections_[index].open_client(p);
    to->waiting.push_back(index);
    to->clients.push_back(options.client);
    to->accept();
  });
}

bool memory_network::pump() {
  bool moved = false;
  rt.in_turn([&] {
    for (std::size_t i = 0; i < connections_.size(); ++i)
      moved = connections_[i].pump() || moved;
  });
  return moved;
}

void memory_network::flush() {
  // What moved may have sent messages, which take turns to be handled, and may write.
  constexpr int quiet_turns = 8;
  std::size_t steps = 0;
  for (int quiet = 0; quiet < quiet_turns; ++quiet) {
    if (pump())
      quiet = -1;
    if (++steps > 1'000'000)
      throw std::runtime_error("memory_network: the two ends never come to rest");
  }
}

void memory_network::advance(duration by) {
  rt.advance(by);
  flush();
}

} // namespace troupe::testing
