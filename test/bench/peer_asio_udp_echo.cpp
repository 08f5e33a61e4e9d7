// The peer of the UDP benchmark: a single-threaded echo server as one writes it with Asio.

#include <array>
#include <cstdio>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

using asio::ip::udp;

namespace {

class echo {
public:
  explicit echo(asio::io_context& io) : socket_(io, {asio::ip::address_v4::loopback(), 0}) {
    socket_.non_blocking(true);
    std::printf("listens on 127.0.0.1:%d\n", socket_.local_endpoint().port());
    std::fflush(stdout);
    receive();
  }

private:
  // Sending does not wait, and costs no further operation: a full buffer drops the datagram, as the
  // network might.
  void receive() {
    socket_.async_receive_from(asio::buffer(buffer_), from_, [this](auto ec, auto n) {
      if (!ec)
        socket_.send_to(asio::buffer(buffer_, n), from_, 0, ec);
      receive();
    });
  }

  udp::socket socket_;
  udp::endpoint from_;
  std::array<char, 8192> buffer_;
};

} // namespace

int main() {
  asio::io_context io{1};
  echo server{io};
  io.run();
}
