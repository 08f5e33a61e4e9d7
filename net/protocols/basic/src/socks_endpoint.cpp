#include <troupe/basic/socks_endpoint.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <troupe/net/endpoint_string.hpp>
#include <troupe/net/host_name.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "endpoint_arguments.hpp"
#include "socks_address.hpp"
#include "socks_relay.hpp"

namespace troupe {

namespace {

using detail::socks_attempt;
using attempt_ptr = std::shared_ptr<socks_attempt>;

void reach_server(const std::shared_ptr<client_endpoint>& via, const attempt_ptr& a) {
  auto d = connect_protocol<detail::socks_relay>(*via, a);
  a->reaching = d.canceller();
  std::move(d).add_callbacks([](const connected_protocol&) {},
                             [a](const failure& why) { a->fail(why); });
}

// Starts the inner factory, looks the name up if that is our part, and goes to the server.
void begin(runtime& rt, event_loop& loop, const std::shared_ptr<client_endpoint>& via,
           const socks_client_options& options, const attempt_ptr& a) {
  if (!a->waiting || a->waiting->called())
    return;
  try {
    if (const auto* const f = a->inner.started(); f != nullptr && &f->loop() != &loop)
      throw std::invalid_argument("connecting: a connection needs a factory on its own loop");
    a->inner.start(rt.system(), loop);
    a->inner.get()->begin_use();
    a->started = true;
  } catch (...) {
    return a->fail(failure::current());
  }
  const bool look_up = options.version == 4 && !options.remote_names
                       && a->target.type() == net_address::kind::host_name;
  if (!look_up) {
    const auto problem = socks_client_parser::problem(options, a->target);
    if (!problem.empty())
      return a->fail({errc::invalid_argument, "SOCKS: " + std::string{problem}});
    return reach_server(via, a);
  }
  const auto names = system_resolver::of(rt, loop);
  auto d = names->resolve(a->target.host(), a->target.port());
  a->reaching = d.canceller();
  std::move(d).add_callbacks(
    [names, via, options, a](const std::vector<net_address>& found) {
      const auto v4 = std::find_if(found.begin(), found.end(), [](const net_address& n) {
        return n.type() == net_address::kind::ipv4;
      });
      if (v4 == found.end())
        return a->fail({errc::no_route, a->target.to_string() + " has no address of IPv4"});
      a->target = *v4;
      a->parser = socks_client_parser{options, *v4};
      if (a->waiting && !a->waiting->called())
        reach_server(via, a);
    },
    [a](const failure& why) { a->fail(why); });
}

// A name that is none is refused when it connects.
std::string ascii_or_same(std::string_view host) {
  auto ascii = ascii_host_name(host);
  return ascii ? *std::move(ascii) : std::string{host};
}

} // namespace

socks_client_endpoint::socks_client_endpoint(runtime& rt, std::shared_ptr<client_endpoint> via,
                                             std::string_view host, std::uint16_t port,
                                             socks_client_options options, duration timeout)
  : rt_(rt), via_(std::move(via)), target_(detail::socks_host(ascii_or_same(host), port)),
    options_(std::move(options)), timeout_(timeout) {
  if (timeout < duration::zero())
    throw std::logic_error("socks_client_endpoint: the time-out is negative");
}

deferred<connected_protocol> socks_client_endpoint::connect(const factory_ref& f) {
  const auto a = std::make_shared<socks_attempt>(
    socks_attempt{socks_client_parser{options_, target_}, target_, timeout_, f});
  a->waiting.emplace([weak = std::weak_ptr<socks_attempt>{a}] {
    if (const auto self = weak.lock()) {
      std::exchange(self->reaching, {}).cancel();
      if (self->relay != nullptr && self->relay->connected())
        self->relay->transport().abort_connection();
    }
  });
  auto waits = a->waiting->get_deferred();
  auto* here = event_loop::current();
  if (here != nullptr && &here->scheduler() == &rt_.scheduler())
    begin(rt_, *here, via_, options_, a);
  else // before run()
    rt_.scheduler().loop(0).post([&rt = rt_, via = via_, options = options_, a] {
      begin(rt, rt.scheduler().loop(0), via, options, a);
    });
  return waits;
}

// -- the string -----------------------------------------------------------------------------------

std::unique_ptr<client_endpoint> proxied_client_from_string(runtime& rt,
                                                            std::string_view description) {
  const auto d = endpoint_description::parse(description);
  auto kind = d.kind;
  for (auto& c : kind)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  if (kind != "socks5" && kind != "socks4a" && kind != "socks4")
    return client_from_string(rt, description);

  std::vector<std::string_view> names{"host", "port", "via", "user", "timeout"};
  if (kind == "socks5")
    names.insert(names.begin() + 4, "password");
  const detail::endpoint_arguments a{d, std::move(names)};
  socks_client_options options;
  options.version = kind == "socks5" ? 5 : 4;
  options.remote_names = kind != "socks4";
  if (a.has("user"))
    options.user = a.text("user");
  if (a.has("password"))
    options.password = a.text("password");
  duration timeout = std::chrono::seconds(30);
  if (a.has("timeout"))
    timeout = std::chrono::seconds(a.number("timeout", 1, 366 * 24 * 3600));
  return std::make_unique<socks_client_endpoint>(
    rt, proxied_client_from_string(rt, a.text("via")), a.text("host"),
    static_cast<std::uint16_t>(a.number("port", 1, 65535)), std::move(options), timeout);
}

} // namespace troupe
