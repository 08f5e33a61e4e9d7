// Joins the keyboard and the screen to a server of lines, over TLS: a client of tls_chat_server.
//
//   $ build/release/examples/tls_chat_client localhost 8124 --trust certificate.pem
//   What's your name?
//   ann
//   Welcome, ann!
//
// The end of the input (Ctrl-D) ends the connection. Whoever is there is verified: without
// `--trust`, with the authorities that the system trusts.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <asio/buffer.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/text_line_receiver.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "command_line.hpp"

// Sends what is typed, and prints what comes, without what a terminal would obey.
class console : public troupe::text_line_receiver {
public:
  using text_line_receiver::text_line_receiver;

  void connection_made() override {
    input_.emplace(loop().io(), ::dup(STDIN_FILENO));
    read();
  }

  void line_received(std::string_view line) override {
    std::puts(troupe::printable(line).c_str());
    std::fflush(stdout);
  }

  void line_too_long() override { line_received("(a line that is too long)"); }

  void connection_lost(const troupe::failure&) override {
    if (const auto begun = clear_line_buffer(); !begun.empty())
      line_received(begun);
    input_.reset();
  }

private:
  void read() {
    input_->async_read_some(asio::buffer(typed_), [this, self = caf::strong_actor_ptr{ctrl()}](
                                                    const asio::error_code& ec, std::size_t count) {
      if (!input_)
        return;
      enter([&] {
        std::string lines; // a terminal ends them with LF, the chat with CR LF
        for (const char c : std::string_view{typed_.data(), count})
          lines.append(c == '\n' ? "\r\n" : std::string(1, c));
        transport().write(lines);
        if (ec)
          transport().lose_connection();
        else
          read();
      });
    });
  }

  std::optional<asio::posix::stream_descriptor> input_;
  std::array<char, 4096> typed_;
};

// Stops the program when the connection is over, or there is none.
class once : public troupe::client_factory {
public:
  once(caf::actor_config& cfg, troupe::runtime* rt) : client_factory(cfg), rt_(rt) {
    noisy = false;
  }
  troupe::protocol_ptr build_protocol(const troupe::net_address&) override {
    return make_protocol<console>();
  }
  void client_connection_failed(troupe::connector&, const troupe::failure& why) override {
    end(why);
  }
  void client_connection_lost(troupe::connector&, const troupe::failure& why) override {
    if (why.check(troupe::errc::connection_done))
      rt_->stop();
    else
      end(why);
  }

private:
  void end(const troupe::failure& why) {
    if (!loop().stopping()) {
      std::fprintf(stderr, "tls_chat_client: %s\n", troupe::printable(why.message()).c_str());
      rt_->give_up(why); // run() returns it
    }
  }

  troupe::runtime* rt_;
};

int main(int argc, char** argv) {
  std::string host = "localhost";
  std::uint16_t port = 8124;
  troupe::tls_client_options tls;
  CLI::App app{"A chat client over TLS.", "tls_chat_client"};
  app.add_option("host", host, "a name or an address (localhost)");
  app.add_option("port", port, "(8124)");
  app.add_option("--trust", tls.trusted_file, "authorities, PEM (those of the system)");
  app.add_option("--name", tls.server_name, "who it must be, if not the host");
  std::string log_level = "info";
  command_line::add_log_level(app, log_level);
  if (const auto wrong = command_line::parse(app, argc, argv))
    return *wrong;
  try {
    const auto logger = spdlog::stderr_logger_mt("tls_chat_client");
    command_line::set_level(*logger, log_level);
    troupe::runtime rt{{.loops = 1, .logger = logger}};
    troupe::connect_ssl(rt, host, port, troupe::client_factory::of<once>(&rt),
                        troupe::tls_client_context{tls});
    return rt.run().exit_code();
  } catch (const std::exception& e) { // a file that cannot be used
    std::fprintf(stderr, "tls_chat_client: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
