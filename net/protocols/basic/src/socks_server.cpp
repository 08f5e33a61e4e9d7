#include <troupe/basic/socks_server.hpp>

#include <algorithm>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "proxy_clients.hpp"
#include "socks_address.hpp"
#include "socks_association.hpp"
#include "socks_binding.hpp"

namespace troupe {

namespace {

constexpr auto refusal_timeout = std::chrono::seconds(10); // RFC 1928, section 6

socks_reply reply_of(const failure& why) {
  if (why.check(errc::connection_refused))
    return socks_reply::refused;
  if (why.check(errc::timed_out))
    return socks_reply::timed_out;
  if (why.check(errc::no_route) || why.check(errc::unknown_host))
    return socks_reply::host_unreachable;
  return socks_reply::general_failure;
}

} // namespace

bool is_local_address(const net_address& a) {
  const auto bytes = detail::socks_bytes_of(a);
  const auto at = [&](std::size_t i) {
    return static_cast<unsigned char>(bytes[i]);
  };
  const auto local4 = [&](std::size_t i) { // 127.0.0.0/8, 169.254.0.0/16, 0.0.0.0/8
    return at(i) == 127 || at(i) == 0 || (at(i) == 169 && at(i + 1) == 254);
  };
  if (bytes.size() == 4)
    return local4(0);
  if (bytes.size() != 16)
    return a.type() == net_address::kind::unix_socket;
  const auto zeros = static_cast<std::size_t>(
    std::find_if(bytes.begin(), bytes.end(), [](char c) { return c != 0; }) - bytes.begin());
  if (zeros >= 15) // ::, ::1 and ::0.0.0.x
    return true;
  if (zeros >= 10 && ((at(10) == 0xff && at(11) == 0xff) || zeros >= 12))
    return local4(12); // ::ffff:a.b.c.d, ::a.b.c.d
  const std::string_view translated{"\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12};
  if (std::string_view{bytes}.substr(0, 12) == translated)
    return local4(12); // 64:ff9b::a.b.c.d
  return at(0) == 0xfe && (at(1) & 0xc0) == 0x80;
}

socks_server::socks_server(caf::actor_config& cfg, runtime& rt,
                           std::shared_ptr<const socks_server_options> options)
  : proxy(cfg), rt_(rt), options_(std::move(options)),
    parser_(std::make_unique<socks_server_parser>()) {}

socks_server::~socks_server() = default;

void socks_server::stop_timer() noexcept {
  if (timer_ && timer_->active())
    timer_->cancel();
  timer_.reset();
}

void socks_server::connection_made() {
  timer_ = call_later(options_->handshake_timeout, [this] { transport().abort_connection(); });
}

void socks_server::data_received(bytes_view data) {
  switch (stage_) {
  case stage::handshake:
    return handshake(as_text(data));
  case stage::connecting:
    keep(data);
    if (binding_ && is_full())
      refuse(socks_reply::general_failure);
    return;
  case stage::passing:
    return proxy::data_received(data);
  case stage::associated: // nothing more is said here
  case stage::over:
    return;
  }
}

// What a client has asked to be there for it goes with it: who closes cannot be told from who has said all.
void socks_server::read_connection_lost() {
  if (stage_ != stage::associated && !binding_)
    return proxy::read_connection_lost();
  end_waiting();
  transport().lose_connection();
}

// Then nothing is read, and nobody sees that the client goes.
bool socks_server::is_full() const noexcept {
  return pending().size() >= max_pending;
}

void socks_server::handshake(std::string_view in) {
  while (stage_ == stage::handshake) {
    const auto found = parser_->next(in);
    version_ = parser_->version();
    switch (found) {
    case socks_server_parser::status::more:
      return;
    case socks_server_parser::status::methods:
      choose_method();
      break;
    case socks_server_parser::status::credentials: {
      const bool right = options_->authenticate(parser_->user(), parser_->password());
      transport().write(std::string{1, static_cast<char>(right ? 0 : 1)});
      if (!right) {
        stage_ = stage::over;
        transport().lose_connection();
      }
      break;
    }
    case socks_server_parser::status::request:
      if (!in.empty())
        keep(as_bytes(in));
      return serve();
    case socks_server_parser::status::failed:
      if (parser_->error() != socks_reply::granted)
        return refuse(parser_->error());
      stage_ = stage::over;
      return transport().lose_connection();
    }
  }
}

void socks_server::choose_method() {
  const auto wanted = options_->authenticate ? socks_method::password : socks_method::none;
  const auto chosen = parser_->offers(wanted) ? wanted : socks_method::unacceptable;
  parser_->choose(chosen);
  transport().write(std::string{5, static_cast<char>(chosen)});
  if (chosen != socks_method::unacceptable)
    return;
  stage_ = stage::over;
  transport().lose_connection();
}

// Goes on with the result of `d` as this actor, unless the connection has ended.
template <class T, class F>
void socks_server::wait_for(deferred<T> d, F then) {
  waiting_ = d.canceller();
  const caf::strong_actor_ptr self{ctrl()};
  std::move(d).add_both([this, self, then = std::move(then)](outcome<T> got) {
    if (stage_ == stage::connecting && connected() && !transport().disconnecting())
      enter([&] { then(std::move(got)); });
    else if constexpr (std::is_same_v<T, connected_protocol>) {
      if (got)
        got->lose_connection(); // it came too late
    }
  });
}

void socks_server::serve() {
  stage_ = stage::connecting;
  stop_timer();
  const auto& request = parser_->request();
  if (options_->authenticate && version_ == 4)
    return refuse(socks_reply::not_allowed);
  if (!serves(request.command))
    return refuse(socks_reply::command_not_supported);
  if (!options_->rule && !is_local_address(transport().get_peer()))
    return refuse(socks_reply::not_allowed);
  if (request.command == socks_command::udp_associate)
    return associate();
  if (request.target.type() != net_address::kind::host_name) {
    targets_ = {request.target};
    return try_next();
  }
  auto names = options_->names;
  if (!names)
    names = system_resolver::of(rt_, loop());
  wait_for(names->resolve(request.target.host(), request.target.port()),
           [this, names](outcome<std::vector<net_address>> found) {
             if (!found)
               return refuse(socks_reply::host_unreachable);
             targets_ = *std::move(found);
             std::reverse(targets_.begin(), targets_.end()); // the last one is tried first
             try_next();
           });
}

bool socks_server::serves(socks_command c) const noexcept {
  switch (c) {
  case socks_command::connect:
    return true;
  case socks_command::bind:
    return options_->bind;
  case socks_command::udp_associate:
    return options_->udp && version_ == 5;
  }
  return false;
}

void socks_server::try_next() {
  if (targets_.empty())
    return refuse(latest_);
  const auto target = targets_.back();
  targets_.pop_back();
  if (!options_->rule)
    return try_address(target);
  wait_for(maybe_deferred(
             [&] { return options_->rule(parser_->request(), transport().get_peer(), target); }),
           [this, target](const outcome<bool>& allowed) {
             if (allowed && *allowed)
               return try_address(target);
             latest_ = socks_reply::not_allowed;
             try_next();
           });
}

void socks_server::try_address(const net_address& target) {
  if (parser_->request().command == socks_command::bind)
    return bind_for(target);
  wait_for(maybe_deferred([&] { return connect_to(target); }),
           [this, target](const outcome<connected_protocol>& made) {
             if (made)
               return connected_out(*made, target);
             latest_ = reply_of(made.error());
             if (options_->noisy)
               loop().scheduler().logger().info("[{}] Unable to connect to peer: {}", log_name(),
                                                made.error().message());
             try_next();
           });
}

deferred<connected_protocol> socks_server::connect_to(const net_address& target) {
  tcp_client_endpoint to{rt_, target.host(), target.port(), {.timeout = options_->connect_timeout}};
  return detail::connect_proxy_client(to, loop());
}

void socks_server::connected_out(const connected_protocol& p, const net_address& target) {
  auto* const out = p.local<proxy>();
  if (out == nullptr || !out->connected()) {
    p.lose_connection(); // which may be one that cannot be joined
    return refuse(socks_reply::general_failure);
  }
  // Version 4 says where it is connected to, as Twisted does; version 5 from where.
  pass(*out, version_ == 4 ? target : out->transport().get_host());
}

void socks_server::pass(proxy& other, const net_address& shown) {
  stage_ = stage::passing;
  stop_timer();
  transport().write(socks_reply_message(version_, socks_reply::granted, shown));
  parser_.reset();
  targets_ = {};
  waiting_ = {};
  binding_ = {};
  join(other);
}

// Listens, and says where; who comes then is told in a second reply.
void socks_server::bind_for(const net_address& expected) {
  if (is_full())
    return refuse(socks_reply::general_failure);
  binding_ = std::make_shared<detail::socks_binding>(expected.host(), [this](proxy& other) {
    enter([&] { pass(other, other.transport().get_peer()); });
  });
  try {
    const auto host = transport().get_host().host();
    const auto at = binding_->listen(
      rt_, loop().index(), options_->bind_interface.empty() ? host : options_->bind_interface);
    transport().write(socks_reply_message(version_, socks_reply::granted, at));
  } catch (const cannot_listen_error& e) {
    loop().scheduler().logger().warn("[{}] {}", log_name(), e.what());
    return refuse(socks_reply::general_failure);
  }
  timer_ = call_later(options_->bind_timeout, [this] { refuse(socks_reply::timed_out); });
}

void socks_server::associate() {
  const auto peer = transport().get_peer();
  // What a client says of itself is no use where addresses are translated on the way.
  const auto& said = parser_->request().target;
  const auto bytes = detail::socks_bytes_of(said);
  const bool known = said.host() == peer.host()
                     || (!bytes.empty() && bytes.find_first_not_of('\0') == std::string::npos);
  association_ = std::make_shared<detail::socks_association>(
    rt_, loop(), options_, parser_->request(), peer, known ? said.port() : std::uint16_t{0});
  try {
    const auto at = association_->listen(transport().get_host().host());
    transport().write(socks_reply_message(version_, socks_reply::granted, at));
  } catch (const cannot_listen_error& e) {
    loop().scheduler().logger().warn("[{}] {}", log_name(), e.what());
    return refuse(socks_reply::general_failure);
  }
  stage_ = stage::associated;
  parser_.reset();
  transport().resume_producing(); // whatever came early, the end has to be seen
}

// Closes what a client has asked for besides its connection.
void socks_server::end_waiting() {
  if (const auto binding = std::exchange(binding_, nullptr))
    binding->close();
  if (const auto association = std::exchange(association_, nullptr))
    association->close();
}

void socks_server::refuse(socks_reply r) {
  stage_ = stage::over;
  stop_timer();
  end_waiting();
  transport().write(socks_reply_message(version_, r));
  transport().lose_connection();
  timer_ = call_later(refusal_timeout, [this] { transport().abort_connection(); });
}

void socks_server::connection_lost(const failure& reason) {
  if (stage_ != stage::passing)
    stage_ = stage::over;
  stop_timer();
  std::exchange(waiting_, {}).cancel();
  end_waiting();
  proxy::connection_lost(reason);
}

socks_server_factory::socks_server_factory(caf::actor_config& cfg, runtime& rt,
                                           socks_server_options options)
  : factory(cfg), rt_(rt),
    options_(std::make_shared<const socks_server_options>(std::move(options))) {}

protocol_ptr socks_server_factory::build_protocol(const net_address&) {
  return make_protocol<socks_server>(std::ref(rt_), options_);
}

} // namespace troupe
