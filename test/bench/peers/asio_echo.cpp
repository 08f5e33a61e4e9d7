// The peer of the echo benchmarks: a single-threaded echo server as one writes it with Asio.

#include <array>
#include <cstdio>
#include <functional>
#include <memory>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

using asio::ip::tcp;

namespace {

class session : public std::enable_shared_from_this<session> {
public:
  explicit session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](auto ec, auto n) {
      if (!ec)
        self->write(n);
    });
  }

private:
  void write(std::size_t n) {
    asio::async_write(socket_, asio::buffer(buffer_, n),
                      [self = shared_from_this()](auto ec, auto) {
                        if (!ec)
                          self->read();
                      });
  }

  tcp::socket socket_;
  std::array<char, 65536> buffer_;
};

} // namespace

int main() {
  asio::io_context io{1};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](auto ec, tcp::socket socket) {
      if (!ec)
        std::make_shared<session>(std::move(socket))->read();
      accept();
    });
  };
  accept();
  std::printf("listens on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  io.run();
}
