#include "protocol_load.hpp"

#include <string>
#include <string_view>

#include "load_parts.hpp"

namespace bench {

namespace {

void send_all(const connection& c, std::string_view text) {
  if (c.send_some(text.data(), text.size()) != text.size())
    fail("a line did not fit the socket");
}

} // namespace

figures run_connects(const server& s, const connect_load& load) {
  const std::string text(64, 'x');
  const auto exchange = [](const connection& c, std::string_view out, std::size_t back) {
    send_all(c, out);
    std::string in(back, '\0');
    if (::recv(c.fd(), in.data(), back, MSG_WAITALL) != static_cast<ssize_t>(back))
      fail("the server closed the connection, or is silent");
    return in;
  };
  std::uint64_t done = 0;
  const auto until = [&](std::chrono::milliseconds time) {
    for (const auto end = clock::now() + time; clock::now() < end; ++done) {
      const connection c{s};
      if (load.socks_to != 0) {
        if (exchange(c, {"\5\1\0", 3}, 2) != std::string_view{"\5\0", 2})
          fail("the server of SOCKS wants to know who this is");
        const char request[] = {5,
                                1,
                                0,
                                1,
                                127,
                                0,
                                0,
                                1,
                                static_cast<char>(load.socks_to >> 8),
                                static_cast<char>(load.socks_to)};
        if (!exchange(c, {request, sizeof request}, 10).starts_with(std::string_view{"\5\0", 2}))
          fail("the server of SOCKS refused");
      }
      if (exchange(c, text, text.size()) != text)
        fail("the echo differs from what was sent");
      c.finish();
    }
  };
  until(load.warm_up);
  meter m{s};
  m.begin(done);
  until(load.time);
  return m.end(done);
}

} // namespace bench
