// Speaks to a WebSocket: each line of the input is a message of text, and each message that comes is a line.
//
//   $ build/release/examples/websocket_cat ws://127.0.0.1:8765/
//   hello                                                     <- typed
//   hello                                                     <- sent back by websocket_echo_server
//
//   $ build/release/examples/websocket_cat wss://chat.example/room --field 'Cookie: name=ann' --subprotocol chat
//
// Once the input has ended and nothing has come for half a second, the WebSocket is closed. Messages of bytes are
// told of by their size. It fails with status 1, and says why, if there is no WebSocket or it ends without a goodbye.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/sinks/stdout_sinks.h>

#include <troupe/net/open_stdio.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/websocket/connect_websocket.hpp>
#include <troupe/websocket/detail/utf8_checker.hpp>

#include "command_line.hpp"

namespace {

// The two ends, on the one loop that there is.
struct session {
  static constexpr std::chrono::milliseconds quiet{500};

  troupe::runtime& rt;
  troupe::websocket_protocol* socket = nullptr;
  troupe::protocol* console = nullptr;
  troupe::delayed_call closing{}; // once the input has ended
  int status = EXIT_SUCCESS;

  void fail(const std::string& why) {
    std::fprintf(stderr, "websocket_cat: %s\n", why.c_str());
    status = EXIT_FAILURE;
  }
  // Closes once nothing has come for a while: what was said last may have an answer.
  void input_ended() {
    if (socket != nullptr)
      closing = socket->call_later(quiet, [this] { socket->close(); });
  }
  void print(std::string_view text) {
    if (closing.active())
      closing.reset(quiet);
    if (console != nullptr && console->connected())
      console->transport().write(std::string{text} + '\n');
  }
};

class console_end : public troupe::text_line_receiver, public troupe::half_closeable {
public:
  console_end(caf::actor_config& cfg, session& s) : text_line_receiver(cfg), session_(s) {
    set_max_length(1024 * 1024);
  }
  void connection_made() override {
    session_.console = this;
    if (session_.socket == nullptr)
      return transport().lose_connection();
    transport().register_producer(session_.socket->transport(), true);
    session_.socket->transport().register_producer(transport(), true);
    session_.socket->transport().resume_producing();
  }
  void line_received(std::string_view line) override {
    if (session_.socket == nullptr)
      return;
    if (std::string text{line}; troupe::detail::is_utf8(text))
      session_.socket->send_text(text);
    else
      session_.fail("the line is not UTF-8; it is not sent");
  }
  void line_too_long() override { session_.fail("the line is too long; it is not sent"); }
  void read_connection_lost() override { session_.input_ended(); }
  void write_connection_lost() override {}
  void connection_lost(const troupe::failure&) override {
    session_.console = nullptr;
    if (session_.socket != nullptr && session_.socket->connected())
      session_.socket->close();
    else if (!loop().stopping())
      session_.rt.stop();
  }

private:
  session& session_;
};

class socket_end : public troupe::websocket_protocol {
public:
  socket_end(caf::actor_config& cfg, session& s) : websocket_protocol(cfg), session_(s) {}

  void websocket_opened() override {
    session_.socket = this;
    transport().pause_producing(); // until there is somewhere to write to
    troupe::open_stdio(session_.rt, troupe::build<console_end>(std::ref(session_)));
  }
  void text_received(std::string_view text) override { session_.print(troupe::printable(text)); }
  void binary_received(troupe::bytes_view data) override {
    session_.print("(" + std::to_string(data.size()) + " bytes)");
  }
  void websocket_closed(const troupe::websocket_close& how) override {
    session_.socket = nullptr;
    if (!loop().stopping() && !how.clean)
      session_.fail(how.reason.message());
    else if (!loop().stopping() && how.code != 1000 && how.code != 1005)
      session_.fail("closed with " + std::to_string(how.code) + ' ' + troupe::printable(how.text));
    if (session_.console != nullptr && session_.console->connected()) {
      session_.console->transport().unregister_producer();
      session_.console->transport().lose_connection();
    } else if (!loop().stopping()) {
      session_.rt.stop();
    }
  }

private:
  session& session_;
};

} // namespace

int main(int argc, char** argv) {
  std::string url;
  std::vector<std::string> fields;
  std::string trusted;
  troupe::websocket_client_options options;
  CLI::App app{"Speaks to a WebSocket, a message a line.", "websocket_cat"};
  app.add_option("url", url, "such as ws://localhost:8765/ or wss://chat.example/room")->required();
  app.add_option("--field", fields, "is added to the request: 'Cookie: name=ann'");
  app.add_option("--subprotocol", options.socket.subprotocols, "is offered");
  app.add_flag("--deflate", options.socket.deflate, "offers to pack messages");
  app.add_option("--trust", trusted, "a file of certificates in the place of the system's");
  std::string log_level = "warning";
  command_line::add_log_level(app, log_level);
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  for (const auto& f : fields) {
    const auto colon = std::min(f.find(':'), f.size());
    const auto value = f.find_first_not_of(' ', std::min(colon + 1, f.size()));
    options.fields.emplace_back(f.substr(0, colon),
                                value == std::string::npos ? "" : f.substr(value));
  }

  auto logger = spdlog::stderr_logger_mt("websocket_cat");
  command_line::set_level(*logger, log_level);
  troupe::runtime rt{{.loops = 1, .logger = logger}};
  session s{.rt = rt};
  rt.reactor().call_when_running([&] {
    try {
      std::optional<troupe::tls_client_context> tls;
      if (!trusted.empty())
        tls = troupe::tls_client_context{{.trusted_file = trusted}};
      troupe::connect_websocket(rt, url, troupe::build<socket_end>(std::ref(s)), options, tls)
        .add_callbacks([](const troupe::connected_protocol&) {},
                       [&s](const troupe::failure& why) {
                         s.fail(why.message());
                         s.rt.stop();
                       });
    } catch (const std::exception& e) { // the URL or a field makes no sense
      s.fail(e.what());
      rt.stop();
    }
  });
  rt.run();
  return s.status;
}
