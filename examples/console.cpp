// A terminal for the manhole of a server: joins this one to a UNIX socket, as telnet does to a port.
//
//   $ build/release/examples/chat_server --manhole /tmp/chat.manhole
//   $ build/release/examples/console /tmp/chat.manhole         # from elsewhere: ssh -t host console /tmp/...
//   >>> help
//
// Keys go to the server as they are pressed; `quit`, Ctrl-D or Ctrl-\ there leave. Where standard input is no
// terminal, its lines are commands, and the program ends with the answer to the last one:
//
//   $ echo connections | build/release/examples/console /tmp/chat.manhole

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include <asio/signal_set.hpp>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <troupe/net/connect_unix.hpp>
#include <troupe/net/open_stdio.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/telnet/telnet_protocol.hpp>

#include "command_line.hpp"

namespace {

using troupe::telnet_option;
using troupe::telnet_side;

/// Lets keys through as they are pressed, and puts the terminal back at the end.
class raw_terminal {
public:
  raw_terminal() {
    if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &before_) != 0)
      return;
    auto raw = before_;
    ::cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // LF is CR LF for what this program itself says
    changed_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~raw_terminal() {
    if (changed_)
      ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  raw_terminal(const raw_terminal&) = delete;
  raw_terminal& operator=(const raw_terminal&) = delete;

private:
  termios before_{};
  bool changed_ = false;
};

class server_end;

void close(troupe::protocol* p) {
  if (p == nullptr || !p->connected())
    return;
  p->transport().unregister_producer(); // the connection would wait for more output
  p->transport().lose_connection();
}

// The two ends, on the one loop that there is.
struct session {
  troupe::runtime& rt;
  bool interactive = false;
  server_end* server = nullptr;
  troupe::protocol* screen = nullptr;
  std::string problem{};
};

class screen_end : public troupe::protocol, public troupe::half_closeable {
public:
  screen_end(caf::actor_config& cfg, session& s) : protocol(cfg), session_(s) {}
  void connection_made() override;
  void data_received(troupe::bytes_view data) override;
  void read_connection_lost() override;
  void write_connection_lost() override {}
  void connection_lost(const troupe::failure&) override;

private:
  session& session_;
};

class server_end : public troupe::telnet_protocol, public troupe::half_closeable {
public:
  server_end(caf::actor_config& cfg, session& s) : telnet_protocol(cfg), session_(s) {}

  void connection_made() override {
    session_.server = this;
    transport().pause_producing(); // until there is somewhere to write to
    troupe::open_stdio(session_.rt, troupe::build<screen_end>(std::ref(session_)));
  }

  /// The screen is there.
  void begin() {
    transport().resume_producing();
    if (!session_.interactive)
      return;
    will(telnet_option::window_size).add_errback([] {});
    will(telnet_option::terminal_type).add_errback([] {});
    watch_size();
  }

  void text_received(std::string_view text) override {
    if (session_.screen == nullptr)
      return;
    std::string out; // a terminal wants CR LF, a pipe LF
    for (const char c : text)
      if (c == '\n' && session_.interactive)
        out += "\r\n";
      else
        out += c;
    session_.screen->transport().write(out);
  }

  bool agrees(telnet_side side, telnet_option o) override {
    return session_.interactive
           && (o == telnet_option::suppress_go_ahead
               || (side == telnet_side::remote && o == telnet_option::echo)
               || (side == telnet_side::local
                   && (o == telnet_option::window_size || o == telnet_option::terminal_type)));
  }

  void option_changed(telnet_side side, telnet_option o, bool on) override {
    if (side == telnet_side::local && o == telnet_option::window_size && on)
      tell_size();
  }

  void subnegotiation_received(telnet_option o, std::string_view data) override {
    if (o != telnet_option::terminal_type || data != troupe::terminal_type_send())
      return;
    const char* const name = std::getenv("TERM");
    send_subnegotiation(o, troupe::make_terminal_type(name != nullptr ? name : "unknown"));
  }

  void read_connection_lost() override { close(this); }
  void write_connection_lost() override {}

  void connection_lost(const troupe::failure& why) override {
    telnet_protocol::connection_lost(why);
    session_.server = nullptr;
    if (!why.check(troupe::errc::connection_done) && !loop().stopping())
      session_.problem = why.message();
    if (resized_)
      resized_->cancel();
    if (session_.screen != nullptr)
      close(session_.screen);
    else if (!loop().stopping())
      session_.rt.stop();
  }

private:
  void watch_size() {
    if (!resized_)
      resized_.emplace(loop().io(), SIGWINCH);
    resized_->async_wait([this, alive = caf::strong_actor_ptr{ctrl()}](asio::error_code e, int) {
      if (!e && troupe::event_loop::handler_begins())
        enter([this] {
          tell_size();
          watch_size();
        });
    });
  }

  void tell_size() {
    winsize size{};
    if (connected() && enabled(telnet_side::local, telnet_option::window_size)
        && ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
      send_subnegotiation(telnet_option::window_size,
                          troupe::make_window_size({size.ws_col, size.ws_row}));
  }

  session& session_;
  std::optional<asio::signal_set> resized_;
};

void screen_end::connection_made() {
  session_.screen = this;
  if (session_.server == nullptr)
    return transport().lose_connection(); // it has ended meanwhile
  session_.server->transport().register_producer(transport(), true);
  transport().register_producer(session_.server->transport(), true);
  session_.server->begin();
}

void screen_end::data_received(troupe::bytes_view data) {
  if (session_.server == nullptr)
    return;
  std::string bytes; // as it was pressed; a CR is a whole key
  for (const char c : troupe::as_text(data)) {
    bytes += c;
    if (c == '\r')
      bytes += '\0';
    else if (c == '\xff')
      bytes += c;
  }
  session_.server->transport().write(bytes);
}

void screen_end::read_connection_lost() {
  if (session_.server == nullptr)
    return;
  session_.server->transport().unregister_producer();
  session_.server->transport().lose_write_connection();
}

void screen_end::connection_lost(const troupe::failure&) {
  session_.screen = nullptr;
  if (session_.server != nullptr)
    close(session_.server);
  else if (!loop().stopping())
    session_.rt.stop();
}

class console_factory : public troupe::client_factory {
public:
  console_factory(caf::actor_config& cfg, session& s) : client_factory(cfg), session_(s) {
    noisy = false;
  }
  troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
    return make_protocol<server_end>(std::ref(session_));
  }
  void client_connection_failed(troupe::connector&, const troupe::failure& why) override {
    session_.problem = why.message();
    session_.rt.stop();
  }

private:
  session& session_;
};

} // namespace

int main(int argc, char** argv) {
  std::string path;
  CLI::App app{"A terminal for the manhole of a server.", "console"};
  app.add_option("path", path, "the UNIX socket of the manhole")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  std::string problem;
  {
    troupe::runtime rt{{.loops = 1}};
    command_line::set_level(rt.logger(), "error");
    session s{rt, ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0};
    std::optional<raw_terminal> raw;
    if (s.interactive)
      raw.emplace();
    troupe::connect_unix(rt, path, troupe::client_factory::of<console_factory>(std::ref(s)));
    rt.run();
    problem = s.problem;
  }
  if (problem.empty())
    return EXIT_SUCCESS;
  std::fprintf(stderr, "console: %s: %s\n", path.c_str(), troupe::printable(problem).c_str());
  return EXIT_FAILURE;
}
