// Hands an open file to another process, over a UNIX socket.
//
//   $ build/release/examples/pass_descriptor give /tmp/giver /etc/hostname
//   pass_descriptor gives /etc/hostname at /tmp/giver
//
//   $ build/release/examples/pass_descriptor take /tmp/giver
//   took /etc/hostname, 7 bytes: debian
//
// Whoever takes it needs no right to open the file, and fails with status 1 if it gets none. Ctrl-C
// stops the giver.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/net/unix_endpoint.hpp>

#include "command_line.hpp"

/// Opens the file, and gives it away with its name.
class giver : public troupe::protocol {
public:
  giver(caf::actor_config& cfg, std::string file) : protocol(cfg), file_(std::move(file)) {}

  void connection_made() override {
    troupe::file_descriptor fd{::open(file_.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd)
      throw std::system_error(errno, std::system_category(), file_);
    transport().send_file_descriptor(std::move(fd)); // goes with the name
    transport().write(file_ + "\r\n");
    transport().lose_connection();
  }

private:
  const std::string file_;
};

/// The program, as who takes sees it.
struct taking {
  troupe::runtime& rt;
  int status = EXIT_FAILURE; // until something was taken

  void fail(const std::string& why) const {
    std::fprintf(stderr, "pass_descriptor: %s\n", why.c_str());
  }
};

/// Says what it was given, and stops the program.
class taker : public troupe::line_receiver, public troupe::file_descriptor_receiver {
public:
  taker(caf::actor_config& cfg, taking& t) : line_receiver(cfg), taking_(t) {}

  void file_descriptor_received(troupe::file_descriptor fd) override { fd_ = std::move(fd); }

  void line_received(std::string_view name) override {
    char text[4096];
    const auto size = ::pread(fd_.get(), text, sizeof text, 0); // fails if none came
    if (size < 0)
      return taking_.fail(std::system_category().message(errno));
    const std::string_view content{text, static_cast<std::size_t>(size)};
    std::printf("took %s, %zd bytes: %s\n", troupe::printable(name).c_str(), size,
                troupe::printable(content).c_str());
    taking_.status = EXIT_SUCCESS;
  }

  void connection_lost(const troupe::failure& why) override {
    if (loop().stopping())
      return;
    if (taking_.status != EXIT_SUCCESS)
      taking_.fail("nothing was given: " + why.message());
    taking_.rt.stop();
  }

private:
  taking& taking_;
  troupe::file_descriptor fd_;
};

int main(int argc, char** argv) {
  std::string path, file;
  CLI::App app{"Hands an open file to another process.", "pass_descriptor"};
  app.require_subcommand(1);
  auto* const give = app.add_subcommand("give", "gives a file to all who connect");
  give->add_option("path", path, "where to listen")->required();
  give->add_option("file", file, "what to give")->required();
  auto* const take = app.add_subcommand("take", "takes one, and shows what is in it");
  take->add_option("path", path, "of the giver")->required();
  if (const auto status = command_line::parse(app, argc, argv))
    return *status;
  try {
    troupe::runtime rt{{.loops = 1}};
    taking t{rt};
    if (give->parsed()) {
      troupe::listen_unix(rt, path, troupe::factory::for_protocol<giver>(file));
      std::printf("pass_descriptor gives %s at %s\n", file.c_str(), path.c_str());
    } else {
      troupe::unix_client_endpoint to{rt, path};
      troupe::connect_protocol<taker>(to, std::ref(t))
        .add_callbacks([](const troupe::connected_protocol&) {},
                       [&t](const troupe::failure& why) {
                         t.fail(why.message());
                         t.rt.stop();
                       });
    }
    std::fflush(stdout);
    const auto ended = rt.run();
    return take->parsed() ? t.status : ended.exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "pass_descriptor: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
