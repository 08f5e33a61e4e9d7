#include <troupe/basic/file_sender.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Sends a file to whoever connects, tells what came of it, and closes.
class sender : public protocol {
public:
  sender(caf::actor_config& cfg, events* log, std::string path, send_file_options options)
    : protocol(cfg), log_(log), path_(std::move(path)), options_(std::move(options)) {}

  void connection_made() override {
    send_file(*this, file_descriptor{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)}, options_)
      .add_callbacks(
        [this](const sent_file& sent) {
          log_->add("sent " + std::to_string(sent.bytes) + ' '
                    + (sent.last ? std::string(1, *sent.last) : "nothing"));
          transport().lose_connection();
        },
        [this](const failure& why) {
          log_->add("failed: " + why.message());
          if (connected())
            transport().lose_connection();
        });
  }
  void data_received(bytes_view) override {
    log_->add("unsent: " + std::to_string(transport().unsent()));
    transport().lose_connection();
  }

private:
  events* log_;
  std::string path_;
  send_file_options options_;
};

struct served {
  served(const std::string& content, send_file_options options = {}) : server(1) {
    std::ofstream{folder / "file", std::ios::binary} << content;
    port = listen_tcp(server.rt, 0, factory::for_protocol<sender>(&log, folder / "file", options));
    server.start();
  }
  [[nodiscard]] client connect() const { return client{port.get_host().port()}; }
  directory folder;
  events log;
  running server;
  listening_port port;
};

std::string numbers(std::size_t size) {
  std::string all;
  for (std::size_t i = 0; all.size() < size; ++i)
    all += std::to_string(i) + ' ';
  all.resize(size);
  return all;
}

} // namespace

TEST_CASE("a file arrives whole, and the deferred tells its size and its last byte") {
  for (const std::size_t size : {0, 1, 16'384, 65'536, 65'537, 5'000'000}) {
    const auto content = numbers(size);
    served s{content};
    auto c = s.connect();
    CHECK(c.rest() == content);
    REQUIRE(s.log.wait(1));
    CHECK(s.log.all().front()
          == "sent " + std::to_string(size) + ' '
               + (size == 0 ? "nothing" : std::string(1, content.back())));
  }
}

TEST_CASE("a part of a file is sent, and each chunk is changed") {
  served s{"hello, world", {.chunk = 5, .count = 7, .transform = [](std::string chunk) {
                              std::ranges::transform(chunk, chunk.begin(), [](unsigned char c) {
                                return static_cast<char>(std::toupper(c));
                              });
                              return chunk == "HELLO" ? std::string{}
                                                      : chunk; // that may be nothing
                            }}};
  CHECK(s.connect().rest() == ", ");
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all().front() == "sent 2  ");
}

TEST_CASE("a peer that does not read makes the sender hold one chunk, and no more") {
  const auto content = numbers(30'000'000);
  served s{content};
  auto c = s.connect();
  c.send("how much?");
  REQUIRE(s.log.wait(1));
  const auto text = s.log.all().front();
  REQUIRE(text.starts_with("unsent: "));
  CHECK(std::stoul(text.substr(8)) <= 64 * 1024);
  CHECK(c.rest() == content); // a close waits for the producer
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all()[1].starts_with("sent 30000000"));
}

TEST_CASE("a connection that ends fails the deferred, and the file is closed") {
  const auto before = open_descriptors();
  {
    served s{numbers(30'000'000)};
    auto c = s.connect();
    c.receive(1000);
    c.reset();
    REQUIRE(s.log.wait(1));
    CHECK_THAT(s.log.all().front(), Catch::Contains("Consumer asked us to stop producing"));
  }
  CHECK(comes_down_to(before));
}

TEST_CASE("a file that cannot be read fails the deferred with the system's reason") {
  served s{"x"};
  std::filesystem::remove(s.folder / "file");
  std::filesystem::create_directory(s.folder / "file");
  s.connect().rest();
  REQUIRE(s.log.wait(1));
  CHECK_THAT(s.log.all().front(), Catch::Contains("directory"));
}

TEST_CASE("an exception of the transform fails the deferred") {
  served s{"x", {.transform = [](std::string) -> std::string {
             throw std::runtime_error("no");
           }}};
  CHECK(s.connect().rest() == "");
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all().front() == "failed: no");
}
