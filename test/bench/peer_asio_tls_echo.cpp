// The peer of the TLS echo benchmarks: a single-threaded echo server as one writes it with Asio and
// OpenSSL. An argument makes it give up the buffers of idle connections, as Troupe does.

#include <array>
#include <cstdio>
#include <functional>
#include <memory>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl.hpp>
#include <asio/write.hpp>

#include "tls_identity.hpp"

using asio::ip::tcp;

namespace {

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, asio::ssl::context& tls) : stream_(std::move(socket), tls) {}

  void start() {
    stream_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](auto ec) {
      if (!ec)
        self->read();
    });
  }

private:
  void read() {
    stream_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](auto ec, auto n) {
      if (!ec)
        return self->write(n);
      if (ec == asio::error::eof)
        self->stream_.async_shutdown([self](auto) {});
    });
  }

  void write(std::size_t n) {
    asio::async_write(stream_, asio::buffer(buffer_, n),
                      [self = shared_from_this()](auto ec, auto) {
                        if (!ec)
                          self->read();
                      });
  }

  asio::ssl::stream<tcp::socket> stream_;
  std::array<char, 65536> buffer_;
};

} // namespace

int main(int argc, char**) {
  asio::io_context io{1};
  asio::ssl::context tls{asio::ssl::context::tls_server};
  {
    const bench::identity_file identity;
    tls.use_certificate_chain_file(identity.path());
    tls.use_private_key_file(identity.path(), asio::ssl::context::pem);
  }
  if (argc > 1)
    SSL_CTX_set_mode(tls.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](auto ec, tcp::socket socket) {
      if (!ec)
        std::make_shared<session>(std::move(socket), tls)->start();
      accept();
    });
  };
  accept();
  std::printf("listens on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  io.run();
}
