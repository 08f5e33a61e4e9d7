#include "proxy_door.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>

#include <sys/socket.h>
#include <sys/un.h>

namespace troupe::detail {

// -- rules --------------------------------------------------------------------------------------

proxy_rules::proxy_rules(const proxy_protocol_options& options)
  : others(options.others), timeout(options.timeout), max_length(options.max_length),
    max_waiting(options.max_waiting) {
  std::vector<std::string> networks;
  for (const auto& name : options.proxies)
    if (name == "unix")
      unix_sockets = true;
    else
      networks.push_back(name);
  try {
    proxies = address_networks{networks};
  } catch (const std::invalid_argument& e) {
    throw std::invalid_argument(std::string{"proxy_protocol_options::proxies: "} + e.what());
  }
  if (!in_use())
    return;
  if (max_length < 16 || max_length > 16 + std::numeric_limits<std::uint16_t>::max())
    throw std::invalid_argument("proxy_protocol_options::max_length is from 16 to 65551");
  if (max_waiting == 0)
    throw std::invalid_argument("proxy_protocol_options::max_waiting is 1 at least");
  if (timeout <= duration::zero())
    throw std::invalid_argument("proxy_protocol_options::timeout is more than nothing");
}

bool proxy_rules::names(const socket_address& peer) const {
  return peer.is_unix() ? unix_sockets : proxies.has(peer.to_address().host());
}

namespace {

socket_address socket_address_of(const net_address& a) {
  if (const auto ip = parse_ip(a.host(), a.port());
      ip && a.type() != net_address::kind::unix_socket)
    return socket_address{*ip};
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  a.host().copy(un.sun_path, sizeof un.sun_path);
  if (un.sun_path[0] == '@')
    un.sun_path[0] = '\0';
  sockaddr_storage all{};
  std::memcpy(&all, &un, sizeof un);
  return socket_address{all};
}

} // namespace

// -- the door -----------------------------------------------------------------------------------

struct proxy_door::visitor {
  visitor(unique_fd socket, const socket_address& from, std::size_t max_length)
    : fd(std::move(socket)), proxy(from), parser(max_length) {}

  [[nodiscard]] int handle() { return watched ? watched->native_handle() : fd.get(); }

  proxy_header_parser::status read(failure& why);

  unique_fd fd; // until it is watched
  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> watched;
  const socket_address proxy;
  proxy_header_parser parser;
  proxy_door* door = nullptr; // while it waits there
  delayed_call deadline;
  patience patience_with_it;
};

// Looks first, and then takes what is the header's.
proxy_header_parser::status proxy_door::visitor::read(failure& why) {
  using status = proxy_header_parser::status;
  std::array<char, 512> bytes;
  for (;;) {
    const auto got = ::recv(handle(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return status::more;
    if (got <= 0) {
      why = got < 0 ? failure{errc::connection_lost, std::system_category().message(errno)}
                    : failure{errc::connection_done};
      if (!parser.is_empty())
        why = {errc::malformed_input, "the header of the PROXY protocol is cut off"};
      return status::failed;
    }
    std::string_view in{bytes.data(), static_cast<std::size_t>(got)};
    const auto how = parser.next(in);
    if (how == status::failed) {
      why = {errc::malformed_input, std::string{to_string(parser.error())}};
      return how;
    }
    ::recv(handle(), bytes.data(), static_cast<std::size_t>(got) - in.size(), MSG_DONTWAIT);
    if (how == status::whole)
      return how;
  }
}

void proxy_door::receive(unique_fd fd, const socket_address& proxy) {
  const auto v = std::make_shared<visitor>(std::move(fd), proxy, rules_.max_length);
  go_on(v);
}

void proxy_door::go_on(const std::shared_ptr<visitor>& v) {
  using status = proxy_header_parser::status;
  failure why;
  switch (v->read(why)) {
  case status::more:
    return watch(v);
  case status::failed:
    return fail(v, why);
  case status::whole:
    break;
  }
  unique_fd fd = v->watched ? unique_fd{v->watched->release()} : std::move(v->fd);
  const auto& header = v->parser.header();
  leave(v);
  if (header.names_client())
    port_.header_came(std::move(fd),
                      {socket_address_of(header.source), socket_address_of(header.destination)});
  else
    port_.header_came(std::move(fd), v->proxy);
}

void proxy_door::watch(const std::shared_ptr<visitor>& v) {
  if (v->door == nullptr) {
    v->watched.emplace(owner_.loop().io());
    v->watched->assign(v->fd.get());
    static_cast<void>(v->fd.release());
    const auto due = saturating_add(owner_.loop().time(), rules_.timeout);
    limit(v, due, due);
    waiting_.insert(v);
    v->door = this;
  }
  v->watched->async_wait(asio::posix::descriptor_base::wait_read,
                         [v, self = caf::strong_actor_ptr{owner_.ctrl()}](const auto& ec) {
                           if (!ec && v->door != nullptr)
                             v->door->owner_.enter("accept", [&v] {
                               if (v->door != nullptr)
                                 v->door->go_on(v);
                             });
                         });
}

void proxy_door::limit(const std::shared_ptr<visitor>& v, time_point due, time_point at) {
  v->deadline = owner_.loop().timers().add(at, [weak = std::weak_ptr{v}, due] {
    const auto late = weak.lock();
    if (!late || late->door == nullptr)
      return;
    auto& door = *late->door;
    if (!late->patience_with_it.is_over(door.owner_.loop(), due, door.rules_.timeout))
      return door.limit(late, due, door.owner_.loop().time());
    const caf::strong_actor_ptr self{door.owner_.ctrl()};
    door.owner_.enter("accept", [&late] {
      if (late->door != nullptr)
        late->door->fail(late, {errc::timed_out, "the header of the PROXY protocol"});
    });
  });
}

void proxy_door::fail(const std::shared_ptr<visitor>& v, const failure& why) {
  leave(v);
  port_.header_failed(v->proxy, why); // counts, before the peer can know
  v->watched.reset();
  v->fd = {};
}

void proxy_door::leave(const std::shared_ptr<visitor>& v) {
  if (std::exchange(v->door, nullptr) == nullptr)
    return;
  if (v->deadline.active())
    v->deadline.cancel();
  waiting_.erase(v);
  port_.one_less_waits();
}

void proxy_door::clear() noexcept {
  for (const auto& v : std::exchange(waiting_, {})) {
    v->door = nullptr;
    if (v->deadline.active())
      v->deadline.cancel();
    v->watched.reset();
  }
}

} // namespace troupe::detail
