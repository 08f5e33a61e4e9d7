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
#include <troupe/net/unix_endpoint.hpp>

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
    std::printf("took %.*s, %zd bytes: %.*s\n", static_cast<int>(name.size()), name.data(), size,
                static_cast<int>(size), text);
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
  const std::string what = argc > 1 ? argv[1] : "";
  try {
    troupe::runtime rt{{.loops = 1}};
    taking t{rt};
    if (what == "give" && argc == 4) {
      const auto port = troupe::listen_unix(
        rt, argv[2], troupe::factory::for_protocol<giver>(std::string(argv[3])));
      std::printf("pass_descriptor gives %s at %s\n", argv[3], argv[2]);
    } else if (what == "take" && argc == 3) {
      troupe::unix_client_endpoint to{rt, argv[2]};
      troupe::connect_protocol<taker>(to, std::ref(t))
        .add_callbacks([](const troupe::connected_protocol&) {},
                       [&t](const troupe::failure& why) {
                         t.fail(why.message());
                         t.rt.stop();
                       });
    } else {
      std::fprintf(stderr, "usage: pass_descriptor give PATH FILE | take PATH\n");
      return EXIT_FAILURE;
    }
    std::fflush(stdout);
    const auto ended = rt.run();
    return what == "take" ? t.status : ended.exit_code();
  } catch (const troupe::cannot_listen_error& e) {
    std::fprintf(stderr, "pass_descriptor: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
