// The peer of the echo benchmarks: a single-threaded echo server as one writes it with Asio. With the
// argument `unix` it listens at a UNIX socket.

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/write.hpp>
#include <unistd.h>

using asio::ip::tcp;
using local = asio::local::stream_protocol;

namespace {

template <class Protocol>
class session : public std::enable_shared_from_this<session<Protocol>> {
public:
  explicit session(typename Protocol::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = this->shared_from_this()](auto ec, auto n) {
                              if (!ec)
                                self->write(n);
                            });
  }

private:
  void write(std::size_t n) {
    asio::async_write(socket_, asio::buffer(buffer_, n),
                      [self = this->shared_from_this()](auto ec, auto) {
                        if (!ec)
                          self->read();
                      });
  }

  typename Protocol::socket socket_;
  std::array<char, 65536> buffer_;
};

template <class Protocol>
void serve(asio::io_context& io, typename Protocol::acceptor acceptor, const std::string& where) {
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](auto ec, typename Protocol::socket socket) {
      if (!ec)
        std::make_shared<session<Protocol>>(std::move(socket))->read();
      accept();
    });
  };
  accept();
  std::printf("listens on %s\n", where.c_str());
  std::fflush(stdout);
  io.run();
}

} // namespace

int main(int argc, char** argv) {
  asio::io_context io{1};
  if (argc > 1 && std::string_view{argv[1]} == "unix") {
    const auto name = "troupe-bench-" + std::to_string(::getpid());
    local::acceptor acceptor{io, local::endpoint{std::string(1, '\0') + name}};
    serve<local>(io, std::move(acceptor), "unix:@" + name);
  } else {
    tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    const auto port = acceptor.local_endpoint().port();
    serve<tcp>(io, std::move(acceptor), "127.0.0.1:" + std::to_string(port));
  }
}
