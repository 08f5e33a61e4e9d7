#include "socks_association.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/basic/socks_message.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

class association_port final : public datagram_protocol {
public:
  association_port(caf::actor_config& cfg, std::shared_ptr<socks_association> of,
                   socks_association::side which)
    : datagram_protocol(cfg), of_(std::move(of)), which_(which) {}
  void start_protocol() override { of_->opened(which_, this); }
  void stop_protocol() override { of_->opened(which_, nullptr); }
  void datagram_received(bytes_view data, const net_address& from) override {
    of_->received(which_, data, from);
  }

private:
  const std::shared_ptr<socks_association> of_;
  const socks_association::side which_;
};

} // namespace

// What is asked before a target is sent to: its addresses, and the rule of each.
struct socks_association::question {
  net_address name;
  std::vector<net_address> addresses; // the last one is tried first
};

socks_association::socks_association(runtime& rt, event_loop& where,
                                     std::shared_ptr<const socks_server_options> options,
                                     socks_request request, net_address peer, std::uint16_t port)
  : rt_(rt), loop_(where), options_(std::move(options)), request_(std::move(request)),
    peer_(std::move(peer)), client_(peer_.type(), peer_.host(), port) {}

net_address socks_association::listen(const std::string& interface) {
  open(to_client, interface);
  return ports_[to_client]->get_host();
}

void socks_association::open(side s, const std::string& interface) {
  datagram_options o;
  o.interface = interface;
  o.max_packet_size = 65'535; // nothing is cut
  o.max_unsent = 256 * 1024;
  o.loop = loop_.index();
  ports_[s] = listen_udp(rt_, 0, datagram_protocol::of<association_port>(shared_from_this(), s), o);
}

void socks_association::close() {
  over_ = true;
  targets_.clear();
  for (auto& port : ports_) // whose protocols have this
    if (auto open = std::exchange(port, std::nullopt))
      open->stop_listening();
}

void socks_association::received(side s, bytes_view data, const net_address& from) {
  if (over_)
    return;
  if (s == to_client)
    from_client(data, from);
  else
    from_target(data, from);
}

void socks_association::from_client(bytes_view data, const net_address& from) {
  if (client_.port() != 0 ? from != client_ : from.host() != client_.host())
    return;
  const auto d = read_socks_datagram(as_text(data));
  if (!d)
    return;
  client_ = from;
  auto* t = find_target(d->address);
  if (t == nullptr) {
    t = new_target(d->address);
    if (t == nullptr)
      return;
    t->used = ++turn_;
    hold(*t, d->data);
    return ask(d->address); // which may decide at once
  }
  t->used = ++turn_;
  if (t->state == state::allowed)
    send(t->address, as_bytes(d->data));
  else if (t->state == state::asked)
    hold(*t, d->data);
}

void socks_association::hold(target& t, std::string_view data) {
  const auto size = data.size() + sizeof(std::string);
  if (held_ + size > most_held)
    return; // it is lost, as datagrams are
  held_ += size;
  t.held.emplace_back(data);
}

void socks_association::from_target(bytes_view data, const net_address& from) {
  const auto is_it = [&](const target& t) {
    return t.state == state::allowed && t.address == from;
  };
  if (answered_ >= targets_.size() || !is_it(targets_[answered_])) {
    const auto found = std::ranges::find_if(targets_, is_it);
    if (found == targets_.end())
      return; // nobody has been asked there
    answered_ = static_cast<std::size_t>(found - targets_.begin());
  }
  if (at_[to_client] == nullptr)
    return;
  message_.clear();
  append_socks_datagram_head(message_, from);
  message_ += as_text(data);
  at_[to_client]->transport().write(message_, client_);
}

socks_association::target* socks_association::find_target(const net_address& name) {
  if (latest_ >= targets_.size() || targets_[latest_].name != name) {
    const auto found =
      std::ranges::find_if(targets_, [&](const target& t) { return t.name == name; });
    if (found == targets_.end())
      return nullptr;
    latest_ = static_cast<std::size_t>(found - targets_.begin());
  }
  return &targets_[latest_];
}

// The one that was not used for the longest time makes room. Returns null while too much is being asked.
socks_association::target* socks_association::new_target(const net_address& name) {
  if (std::ranges::count(targets_, state::asked, &target::state)
      >= static_cast<std::ptrdiff_t>(most_questions))
    return nullptr;
  if (targets_.size() < most_targets) {
    latest_ = targets_.size();
    targets_.emplace_back();
  } else {
    const auto oldest = std::ranges::min_element(targets_, {}, [](const target& t) {
      return std::pair{t.state == state::asked, t.used};
    });
    latest_ = static_cast<std::size_t>(oldest - targets_.begin());
    *oldest = {};
  }
  targets_[latest_].name = name;
  return &targets_[latest_];
}

void socks_association::ask(const net_address& name) {
  const auto q = std::make_shared<question>(question{name, {}});
  if (name.type() != net_address::kind::host_name) {
    q->addresses = {name};
    return try_next(q);
  }
  auto names = options_->names;
  if (!names)
    names = system_resolver::of(rt_, loop_);
  maybe_deferred([&] {
    return names->resolve(name.host(), name.port());
  }).add_both([self = shared_from_this(), names, q](outcome<std::vector<net_address>> found) {
    if (found) {
      q->addresses = *std::move(found);
      std::ranges::reverse(q->addresses);
    }
    self->try_next(q);
  });
}

void socks_association::try_next(const std::shared_ptr<question>& q) {
  if (over_)
    return;
  if (q->addresses.empty())
    return decide(q->name, nullptr);
  const auto address = q->addresses.back();
  q->addresses.pop_back();
  if (!options_->rule)
    return decide(q->name, &address);
  auto request = request_;
  request.target = q->name;
  maybe_deferred([&] {
    return options_->rule(request, peer_, address);
  }).add_both([self = shared_from_this(), q, address](const outcome<bool>& allowed) {
    if (allowed && *allowed)
      self->decide(q->name, &address);
    else
      self->try_next(q);
  });
}

void socks_association::decide(const net_address& name, const net_address* address) {
  auto* const t = over_ ? nullptr : find_target(name);
  if (t == nullptr || t->state != state::asked)
    return;
  t->state = address != nullptr ? state::allowed : state::refused;
  if (address != nullptr)
    t->address = *address;
  const auto to = t->address;
  for (const auto& data : std::exchange(t->held, {})) {
    held_ -= data.size() + sizeof(std::string);
    if (address != nullptr)
      send(to, as_bytes(data));
  }
}

void socks_association::send(const net_address& to, bytes_view data) {
  const bool v6 = to.type() == net_address::kind::ipv6;
  const auto s = v6 ? to_ipv6 : to_ipv4;
  if (!ports_[s] && !std::exchange(tried_[s], true)) {
    try {
      open(s, v6 ? "::" : "0.0.0.0");
    } catch (const cannot_listen_error& e) {
      loop_.scheduler().logger().warn("[socks_server] {}", e.what());
    }
  }
  if (at_[s] != nullptr)
    at_[s]->transport().write(data, to);
}

} // namespace troupe::detail
