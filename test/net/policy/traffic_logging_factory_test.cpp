#include <fstream>
#include <sstream>

#include <troupe/net/traffic_logging_factory.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/memory_adaptor.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct echo : protocol {
  using protocol::protocol;
  void data_received(bytes_view data) override {
    transport().write(data);
    transport().write_sequence({"a", "b\""});
    transport().write(shared_bytes{std::string_view{"s\x01"}});
    transport().lose_connection();
  }
};

struct folder : directory {
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(*this / name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
};

void talk(memory_network& net, std::string_view text) {
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] {
    c.transport().resume_producing();
    c.transport().write(text);
  });
  net.flush();
}

} // namespace

TEST_CASE("each connection's traffic is logged to a file of its own", "[F-Y8]") {
  folder dir;
  memory_network net;
  net.listen(7, factory::of<traffic_logging_factory>(factory::for_protocol<echo>(),
                                                     traffic_log{.file_prefix = dir / "log"}));
  talk(net, "hello\r\n");
  talk(net, "again");
  const auto done = failure{errc::connection_done}.message();
  CHECK(dir.read("log-1")
        == "*\nC 1: \"hello\\r\\n\"\nS 1: \"hello\\r\\n\"\nSV 1: [\"a\", \"b\\\"\"]\n"
           "S 1: \"s\\x01\"\nS 1: *\nC 1: "
             + done + '\n');
  CHECK(dir.read("log-2").starts_with("*\nC 2: \"again\"\n"));
}

TEST_CASE("long pieces of traffic are cut, and files do not grow beyond their limit") {
  folder dir;
  memory_network net;
  net.listen(7, factory::of<traffic_logging_factory>(
                  factory::for_protocol<echo>(),
                  traffic_log{.file_prefix = dir / "log", .length_limit = 3, .file_limit = 60}));
  talk(net, "123456");
  CHECK(
    dir.read("log-1")
    == "*\nC 1: \"123\" and 3 more bytes\nS 1: \"123\" and 3 more bytes\n... the file is full\n");
}

TEST_CASE("a file that cannot be opened does not harm the connection") {
  memory_network net;
  logged_errors errors{net.rt};
  net.listen(
    7, factory::of<traffic_logging_factory>(factory::for_protocol<echo>(),
                                            traffic_log{.file_prefix = "/nonexistent/folder/log"}));
  auto& c = net.connect<memory_peer>(7);
  net.enter(c, [&] {
    c.transport().resume_producing();
    c.transport().write("x");
  });
  net.flush();
  CHECK(c.received == "xab\"s\x01");
  CHECK(errors.flush("cannot log traffic to").size() == 1);
}
