// The peer of the chat benchmark: the seed's protocol as a careful author writes it with Asio, on
// one thread. What a connection has to send is collected while the handlers of a turn run, or while
// its last write is under way, and then written at once.

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>

using asio::ip::tcp;

namespace {

class session;

class room {
public:
  explicit room(asio::io_context& io) : io_(io) {}

  bool join(const std::string& name, session* who) { return users_.emplace(name, who).second; }
  void leave(const std::string& name) { users_.erase(name); }
  void publish(const std::string& line, const session* from);
  void flush_soon(std::shared_ptr<session> who);

private:
  asio::io_context& io_;
  std::unordered_map<std::string, session*> users_;
  std::vector<std::shared_ptr<session>> unsent_;
};

class session : public std::enable_shared_from_this<session> {
public:
  session(tcp::socket socket, room& in) : socket_(std::move(socket)), room_(in) {}

  void start() {
    send("What's your name?\r\n");
    read();
  }

  void send(std::string_view text) {
    output_ += text;
    if (!std::exchange(queued_, true))
      room_.flush_soon(shared_from_this());
  }

  // Starts a write of all that was collected; what comes until it ends is its successor's.
  void flush() {
    queued_ = !output_.empty();
    if (!queued_)
      return;
    sending_.clear();
    sending_.swap(output_);
    asio::async_write(socket_, asio::buffer(sending_), [self = shared_from_this()](auto ec, auto) {
      if (!ec)
        self->flush();
    });
  }

private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](auto ec, auto n) {
      if (ec)
        return self->leave();
      self->received({self->buffer_.data(), n});
      self->read();
    });
  }

  void leave() {
    if (!name_.empty())
      room_.leave(std::exchange(name_, {}));
    asio::error_code ignored;
    socket_.close(ignored);
  }

  // Lines are taken where they arrived; only an unfinished one is kept.
  void received(std::string_view data) {
    std::string joined;
    if (!input_.empty()) {
      joined = std::exchange(input_, {});
      joined += data;
      data = joined;
    }
    for (std::size_t end; (end = data.find("\r\n")) != std::string_view::npos;
         data.remove_prefix(end + 2))
      line(data.substr(0, end));
    input_ = data;
  }

  void line(std::string_view text) {
    if (!name_.empty()) {
      std::string said;
      said.reserve(name_.size() + text.size() + 5);
      said.append("<").append(name_).append("> ").append(text).append("\r\n");
      room_.publish(said, this);
    } else if (std::string name{text}; room_.join(name, this)) {
      name_ = std::move(name);
      send("Welcome, " + name_ + "!\r\n");
    } else {
      send("Name taken, please choose another.\r\n");
    }
  }

  tcp::socket socket_;
  room& room_;
  std::string name_;
  std::string input_;
  std::string output_;
  std::string sending_;
  bool queued_ = false; // flush() will be called: posted, or at the end of the write under way
  std::array<char, 8192> buffer_;
};

void room::publish(const std::string& line, const session* from) {
  for (const auto& [name, user] : users_)
    if (user != from)
      user->send(line);
}

// Asio runs what is posted after the handlers that are ready now.
void room::flush_soon(std::shared_ptr<session> who) {
  if (unsent_.empty())
    asio::post(io_, [this] {
      for (const auto& user : std::exchange(unsent_, {}))
        user->flush();
    });
  unsent_.push_back(std::move(who));
}

} // namespace

int main() {
  asio::io_context io{1};
  room all{io};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::function<void()> accept = [&] {
    acceptor.async_accept([&](auto ec, tcp::socket socket) {
      if (!ec) {
        socket.set_option(tcp::no_delay{true});
        std::make_shared<session>(std::move(socket), all)->start();
      }
      accept();
    });
  };
  accept();
  std::printf("listens on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  io.run();
}
