// Outgoing connections by hand: each an object that reads until the end, as a client's would.
// peer_asio_clients crowd [COUNT]
// Prints connections for each second, and for each second of CPU.

#include <array>
#include <memory>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "crowd_server.hpp"
#include "process.hpp"

namespace {

using asio::ip::tcp;

class crowd;

class connection : public std::enable_shared_from_this<connection> {
public:
  connection(asio::io_context& io, crowd& owner) : socket_(io), limit_(io), owner_(owner) {}
  void start(const tcp::endpoint& to);
  void close() {
    asio::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
  }

private:
  void read();

  tcp::socket socket_;
  asio::steady_timer limit_;
  crowd& owner_;
  std::array<char, 144> buffer_;
};

class crowd {
public:
  crowd(asio::io_context& io, std::uint16_t port, int count)
    : io_(io), to_(asio::ip::address_v4::loopback(), port), count_(count) {}

  void more() {
    ++begun_;
    all_.push_back(std::make_shared<connection>(io_, *this));
    all_.back()->start(to_);
  }

  void opened() {
    if (begun_ < count_)
      more();
    if (++open_ == count_)
      for (auto& c : all_)
        c->close();
  }

  void closed() { ++closed_; }
  [[nodiscard]] bool complete() const { return closed_ == count_; }

private:
  asio::io_context& io_;
  const tcp::endpoint to_;
  const int count_;
  std::vector<std::shared_ptr<connection>> all_;
  int begun_ = 0;
  int open_ = 0;
  int closed_ = 0;
};

void connection::start(const tcp::endpoint& to) {
  limit_.expires_after(std::chrono::seconds(30));
  limit_.async_wait([self = shared_from_this()](const asio::error_code& ec) {
    if (!ec)
      self->close();
  });
  socket_.async_connect(to, [self = shared_from_this()](const asio::error_code& ec) {
    self->limit_.cancel();
    if (ec) {
      std::fprintf(stderr, "%s\n", ec.message().c_str());
      std::exit(1);
    }
    self->read();
    self->owner_.opened();
  });
}

void connection::read() {
  socket_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](const asio::error_code& ec, std::size_t) {
                            if (!ec)
                              return self->read();
                            asio::error_code ignored;
                            self->socket_.close(ignored);
                            self->owner_.closed();
                          });
}

} // namespace

int main(int argc, char** argv) {
  const int count = bench::count_of(argc, argv, 10'000);
  bench::crowd_server peer{count};
  asio::io_context io{1};
  crowd c{io, peer.port(), count};
  const bench::stopwatch watch;
  for (int i = 0; i < std::min(count, 100); ++i)
    c.more();
  io.run();
  watch.print(count);
  return peer.wait() && c.complete() ? 0 : 1;
}
