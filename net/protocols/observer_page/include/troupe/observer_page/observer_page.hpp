#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <troupe/net/factory.hpp>
#include <troupe/net/observer.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What an `observer_page` asks of who looks, and how much it tells.
struct observer_page_options {
  /// The secret that is needed to see anything, of 16 bytes at least: `observer_token()`.
  std::string token;

  /// The name of the program, for the title.
  std::string name = "troupe";

  /// How often a page is told anew.
  duration interval = std::chrono::seconds(1);

  /// How many rows of a table are sent: the first ones of all, as they are sorted.
  std::size_t rows = 200;

  /// How many pages may be open at a time; further ones get 503.
  std::size_t most_viewers = 8;
};

/// Returns 128 random bits as text that may stand in an address.
///
/// \throws std::runtime_error if the system has none
[[nodiscard]] std::string observer_token();

/// Returns the factory of a page for browsers that shows what runs in this process: loops, actors by kind with
/// their mailboxes, connections with what is unsent, topics, supervision trees, memory; live, and for looking
/// only.
///
/// ```cpp
/// const auto token = troupe::observer_token();
/// const auto port = troupe::listen_tcp(rt, 9101, troupe::observer_page(troupe::observer{rt}, {.token = token}));
/// std::printf("http://%s/#%s\n", port.get_host().to_string().c_str(), token.c_str());
/// ```
///
/// The port is on the loopback interface, unless `listen_options` say otherwise. `GET /` is the page, which has
/// nothing to hide; it asks for `GET /events`, the stream, with the token behind the `#` of its address,
/// which browsers send to nobody else. A script may ask for `/events`, too, with `Authorization: Bearer TOKEN`.
///
/// Nothing is asked of the loops while no page is open. While one is, its `observer` asks for the counters of
/// loops, and for the one table that the page shows, once in an `interval`.
///
/// Thread: any. Lifetime: the runtime must outlive it.
/// \throws std::invalid_argument if the token is shorter than 16 bytes, or the interval is not positive
/// Source: OTP's observer, Phoenix LiveDashboard; the HTML standard, 9.2
[[nodiscard]] factory_ref observer_page(observer seen, observer_page_options options);

} // namespace troupe
