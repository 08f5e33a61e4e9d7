// The listener watches this program too; so its own tests start it once more, with cases that leak.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <troupe/net/line_receiver.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

bool wanted() {
  return std::getenv("TROUPE_TEST_LEAKS") != nullptr; // not merely selected by its file
}

class idler : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }
};

class fragile : public line_receiver {
public:
  using line_receiver::line_receiver;
  void line_received(std::string_view) override { throw std::out_of_range("unseen"); }
};

/// One that outlives every case.
runtime& lasting() {
  static auto* rt = new runtime{{.loops = 1, .install_signal_handlers = false}};
  return *rt;
}

struct result {
  std::string output;
  int status;
};

result run(const std::string& name) {
  char self[4096] = {};
  REQUIRE(::readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  const auto command = "TROUPE_TEST_LEAKS=1 '" + std::string(self) + "' '" + name + "' 2>&1";
  auto* out = ::popen(command.c_str(), "r");
  REQUIRE(out != nullptr);
  result r;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), out)) > 0;)
    r.output.append(buffer.data(), n);
  const int ended = ::pclose(out);
  r.status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
  return r;
}

} // namespace

TEST_CASE("leak: nothing", "[.leak]") {
  if (!wanted())
    return;
  runtime rt{{.loops = 2, .install_signal_handlers = false}};
  rt.reactor().call_later(1h, [] {});
  rt.spawn<idler>();
  succeed().add_callback([] {});
}

TEST_CASE("leak: a delayed call", "[.leak]") {
  if (!wanted())
    return;
  lasting().reactor().call_later(1h, [] {}).cancel();
  lasting().reactor().call_later(1h, [] {});
}

TEST_CASE("leak: an actor", "[.leak]") {
  if (wanted())
    lasting().spawn<idler>();
}

TEST_CASE("leak: a failure", "[.leak]") {
  if (wanted())
    fail<void>(errc::timed_out).add_callback([] {});
}

TEST_CASE("leak: an exception", "[.leak]") {
  if (!wanted())
    return;
  testing::protocol_fixture<fragile> t;
  t.deliver("x\r\n");
}

TEST_CASE("leak: an expected exception", "[.leak]") {
  if (!wanted())
    return;
  testing::protocol_fixture<fragile> t;
  testing::logged_errors errors{t.rt};
  t.deliver("x\r\n");
  CHECK(errors.flush<std::out_of_range>().size() == 1);
}

TEST_CASE("a test that leaves nothing behind passes", "[Z01]") {
  CHECK(run("leak: nothing").status == 0);
}

TEST_CASE("a test that leaves a delayed call behind fails", "[Z01]") {
  const auto r = run("leak: a delayed call");
  CHECK(r.status != 0);
  CHECK(r.output.find("leaves behind: 1 delayed calls") != std::string::npos);
}

TEST_CASE("a test that leaves an actor behind fails", "[Z02]") {
  const auto r = run("leak: an actor");
  CHECK(r.status != 0);
  CHECK(r.output.find("leaves behind: 1 actors") != std::string::npos);
}

TEST_CASE("a test that leaves a failure unhandled fails", "[Z03]") {
  const auto r = run("leak: a failure");
  CHECK(r.status != 0);
  CHECK(r.output.find("an unhandled failure") != std::string::npos);
  CHECK(r.output.find("timed_out") != std::string::npos);
}

TEST_CASE("a test whose protocol throws fails, unless it expected that") {
  const auto r = run("leak: an exception");
  CHECK(r.status != 0);
  CHECK(r.output.find("did not expect this error") != std::string::npos);
  CHECK(r.output.find("unseen") != std::string::npos);
  CHECK(run("leak: an expected exception").status == 0);
}
