// The peer of the forwarding benchmark: passes connections on, single-threaded, as one writes it with Asio.
// asio_forward PORT

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

using asio::ip::tcp;

namespace {

class passed_on : public std::enable_shared_from_this<passed_on> {
public:
  passed_on(tcp::socket in, asio::io_context& io) : in_(std::move(in)), out_(io) {}

  void begin(std::uint16_t port) {
    out_.async_connect({asio::ip::address_v4::loopback(), port},
                       [self = shared_from_this()](auto ec) {
                         if (ec)
                           return;
                         self->in_.set_option(tcp::no_delay{true});
                         self->out_.set_option(tcp::no_delay{true});
                         self->pass(self->in_, self->out_, self->there_);
                         self->pass(self->out_, self->in_, self->back_);
                       });
  }

private:
  using buffer = std::array<char, 65536>;

  void pass(tcp::socket& from, tcp::socket& to, buffer& through) {
    from.async_read_some(asio::buffer(through),
                         [this, self = shared_from_this(), &from, &to, &through](auto ec, auto n) {
                           if (ec) {
                             asio::error_code ignored;
                             to.shutdown(tcp::socket::shutdown_send, ignored);
                             return;
                           }
                           asio::async_write(to, asio::buffer(through, n),
                                             [this, self, &from, &to, &through](auto failed, auto) {
                                               if (!failed)
                                                 pass(from, to, through);
                                             });
                         });
  }

  tcp::socket in_, out_;
  buffer there_, back_;
};

} // namespace

int main(int argc, char** argv) {
  if (argc < 2)
    return 2;
  const auto to = static_cast<std::uint16_t>(std::atoi(argv[1]));
  asio::io_context io{1};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](auto ec, tcp::socket socket) {
      if (!ec)
        std::make_shared<passed_on>(std::move(socket), io)->begin(to);
      accept();
    });
  };
  accept();
  std::printf("listens on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  io.run();
}
