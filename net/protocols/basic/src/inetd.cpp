#include <troupe/basic/inetd.hpp>

#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <spdlog/logger.h>

#include <troupe/basic/wire.hpp>
#include <troupe/basic/wire_udp.hpp>
#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/listen_udp.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

using shared_descriptor = std::shared_ptr<file_descriptor>;

constexpr auto minute = std::chrono::minutes(1);
constexpr auto pause_after_error = std::chrono::milliseconds(100); // no descriptors, no memory
constexpr std::size_t accepts_per_turn = 16;

std::string shown(const sockaddr_storage& a) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto v6 = a.ss_family == AF_INET6;
  const auto& in4 = reinterpret_cast<const sockaddr_in&>(a);
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(a);
  ::inet_ntop(a.ss_family, v6 ? static_cast<const void*>(&in6.sin6_addr) : &in4.sin_addr, text,
              sizeof text);
  return net_address::ip(text, ntohs(v6 ? in6.sin6_port : in4.sin_port)).to_string();
}

/// Starts a program for each connection to one port.
class inetd_port final : public pinned_actor {
public:
  inetd_port(caf::actor_config& cfg, runtime& rt, inetd_service s, inetd_options options,
             shared_descriptor socket)
    : pinned_actor(cfg), rt_(rt), service_(std::move(s)), options_(std::move(options)),
      listener_(loop().io()) {
    listener_.assign(socket->release());
  }

  caf::behavior make_behavior() override {
    begun_ = loop().time();
    wait();
    return {[](caf::unit_t) {
    }};
  }

  void on_exit() override {
    asio::error_code ignored;
    listener_.close(ignored);
    over_ = true;
    pinned_actor::on_exit();
  }

  /// A program has ended, or was not started.
  void child_ended() {
    --children_;
    if (std::exchange(full_, false))
      wait();
  }

  const char* name() const override { return "inetd_port"; }

protected:
  void stop_requested() override { quit(caf::exit_reason::user_shutdown); }

private:
  void wait() {
    if (over_)
      return;
    if (children_ >= options_.max_children) {
      full_ = true;
      return;
    }
    if (const auto passed = loop().time() - begun_; passed >= minute) {
      begun_ = loop().time();
      starts_ = 0;
    } else if (starts_ >= service_.max_per_minute) {
      loop().scheduler().logger().error("inetd: {} was started {} times within a minute; it waits",
                                        service_.program, starts_);
      call_later(minute - passed, [this] { wait(); });
      return;
    }
    listener_.async_wait(asio::posix::descriptor_base::wait_read,
                         [this, self = caf::strong_actor_ptr{ctrl()}](const asio::error_code& ec) {
                           if (!ec && !over_)
                             enter("accept", [this] { accept_some(); });
                         });
  }

  void accept_some() {
    for (std::size_t n = 0; n < accepts_per_turn; ++n) {
      if (children_ >= options_.max_children || starts_ >= service_.max_per_minute)
        return wait();
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      // The program gets it as it would from any inetd: it blocks.
      file_descriptor fd{::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&peer),
                                   &size, SOCK_CLOEXEC)};
      if (!fd) {
        if (errno == EAGAIN)
          return wait();
        if (errno == ENOMEM || errno == ENOBUFS || errno == EMFILE || errno == ENFILE) {
          call_later(pause_after_error, [this] { wait(); });
          return;
        }
        continue; // of the one connection, which failed before it was accepted
      }
      start(std::move(fd), shown(peer));
    }
    wait();
  }

  void start(file_descriptor fd, const std::string& peer);

  runtime& rt_;
  const inetd_service service_;
  const inetd_options options_;
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> listener_;
  std::size_t children_ = 0;
  std::size_t starts_ = 0; // since `begun_`
  time_point begun_{};
  bool full_ = false; // waits for the end of a child
  bool over_ = false;
};

/// One program that runs.
class inetd_child final : public process_protocol {
public:
  inetd_child(caf::actor_config& cfg, caf::strong_actor_ptr port, shared_descriptor connection,
              std::string label)
    : process_protocol(cfg), port_(std::move(port)), connection_(std::move(connection)),
      label_(std::move(label)) {}

  void connection_made() override {
    connection_.reset(); // the program has it
    loop().scheduler().logger().info("inetd: {} started as {}", label_, *transport().pid());
  }

  void process_ended(const failure& reason) override {
    connection_.reset();
    auto& log = loop().scheduler().logger();
    if (reason.check(errc::spawn_failed))
      log.error("inetd: {} cannot be started: {}", label_, reason.message());
    else
      log.info("inetd: {} ended: {}", label_, reason.message());
    auto& port = *static_cast<inetd_port*>(caf::actor_cast<caf::abstract_actor*>(port_));
    port.loop().post([alive = port_, &port] { port.enter([&port] { port.child_ended(); }); });
  }

private:
  const caf::strong_actor_ptr port_;
  shared_descriptor connection_;
  const std::string label_;
};

void inetd_port::start(file_descriptor fd, const std::string& peer) {
  ++children_;
  ++starts_;
  process_options o;
  o.env = options_.env;
  o.own_group = true;
  o.argv0 = service_.args.front();
  o.child_fds.clear();
  for (const int n : {0, 1, 2})
    o.child_fds.emplace(n, child_fd::ours(fd.get()));
  if (service_.uid != ::geteuid() || service_.gid != ::getegid()) {
    o.uid = service_.uid;
    o.gid = service_.gid;
  }
  const auto connection = std::make_shared<file_descriptor>(std::move(fd));
  spawn_process(rt_,
                build<inetd_child>(caf::strong_actor_ptr{ctrl()}, connection,
                                   service_.program + " for " + peer),
                service_.program, {service_.args.begin() + 1, service_.args.end()}, std::move(o));
}

factory_ref internal_factory(const std::string& name) {
  if (name == "echo")
    return factory::for_protocol<wire::echo>();
  if (name == "discard")
    return factory::for_protocol<wire::discard>();
  if (name == "chargen")
    return factory::for_protocol<wire::chargen>();
  if (name == "daytime")
    return factory::for_protocol<wire::daytime>();
  if (name == "time")
    return factory::for_protocol<wire::time>();
  throw std::invalid_argument("listen_inetd: there is no internal service \"" + name + '"');
}

datagram_protocol_ref internal_datagrams(const std::string& name) {
  if (name == "echo")
    return datagram_protocol::of<wire::udp_echo>();
  if (name == "discard")
    return datagram_protocol::of<wire::udp_discard>();
  if (name == "chargen")
    return datagram_protocol::of<wire::udp_chargen>();
  if (name == "daytime")
    return datagram_protocol::of<wire::udp_daytime>();
  if (name == "time")
    return datagram_protocol::of<wire::udp_time>();
  throw std::invalid_argument("listen_inetd: there is no internal service \"" + name + '"');
}

// Returns a socket that listens, and its address.
std::pair<shared_descriptor, net_address> open_socket(const std::string& interface,
                                                      std::uint16_t port) {
  sockaddr_storage at{};
  auto& in4 = reinterpret_cast<sockaddr_in&>(at);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(at);
  const bool v6 = interface.find(':') != std::string::npos;
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, interface.c_str(),
                  v6 ? static_cast<void*>(&in6.sin6_addr) : &in4.sin_addr)
      != 1)
    throw cannot_listen_error(interface, port, make_error_code(errc::invalid_address));
  at.ss_family = v6 ? AF_INET6 : AF_INET;
  (v6 ? in6.sin6_port : in4.sin_port) = htons(port);
  socklen_t size = v6 ? sizeof in6 : sizeof in4;
  auto fd = std::make_shared<file_descriptor>(
    ::socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!*fd || ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
      || ::bind(fd->get(), reinterpret_cast<const sockaddr*>(&at), size) != 0
      || ::listen(fd->get(), 128) != 0)
    throw cannot_listen_error(interface, port, {errno, std::system_category()});
  ::getsockname(fd->get(), reinterpret_cast<sockaddr*>(&at), &size);
  return {std::move(fd), net_address::ip(interface, ntohs(v6 ? in6.sin6_port : in4.sin_port))};
}

} // namespace

net_address listen_inetd(runtime& rt, const inetd_service& s, const inetd_options& options) {
  if (s.internal.empty() && (s.uid == static_cast<uid_t>(-1) || s.gid == static_cast<gid_t>(-1)))
    throw std::invalid_argument("listen_inetd: 4294967295 is no user and no group");
  if (!s.internal.empty()) {
    if (s.datagrams)
      return listen_udp(rt, s.port, internal_datagrams(s.internal),
                        {.interface = options.interface})
        .get_host();
    return listen_tcp(rt, s.port, internal_factory(s.internal), {.interface = options.interface})
      .get_host();
  }
  auto [socket, host] = open_socket(options.interface, s.port);
  rt.spawn_on<inetd_port>(0, std::ref(rt), s, options, socket);
  return host;
}

} // namespace troupe
