#include <sstream>
#include <stdexcept>
#include <vector>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/exit_reason.hpp>
#include <caf/pec.hpp>
#include <caf/sec.hpp>

#include <troupe/runtime/failure.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

struct foreign_category : std::error_category {
  const char* name() const noexcept override { return "test.foreign"; }
  std::string message(int value) const override { return "foreign " + std::to_string(value); }
};

const foreign_category foreign_codes;

// What arrives on another node.
class other_node {
public:
  failure receive(const failure& f) {
    std::vector<char> bytes;
    caf::binary_serializer sink{system_, bytes};
    auto sent = f.to_caf_error();
    REQUIRE_FALSE(sink(sent));
    caf::binary_deserializer source{system_, bytes};
    caf::error received;
    REQUIRE_FALSE(source(received));
    return received;
  }

private:
  struct config : caf::actor_system_config {
    config() { register_failure(*this); }
  };
  config config_;
  caf::actor_system system_{config_};
};

template <class E>
failure caught(const E& e) {
  try {
    throw e;
  } catch (...) {
    return failure::current();
  }
}

} // namespace

TEST_CASE("an error code is known by its name and compares as std::error_code", "[errc]") {
  const std::error_code code = errc::timed_out;
  CHECK(code == errc::timed_out);
  CHECK(code != errc::cancelled);
  CHECK(code == std::errc::timed_out);
  CHECK(std::string(code.category().name()) == "troupe");
  CHECK(name(errc::timed_out) == "timed_out");
  CHECK(to_string(static_cast<errc>(255)) == "unknown");
  CHECK_FALSE(std::error_code(errc::none));
}

TEST_CASE("an error code converts to a CAF error of category troupe", "[errc]") {
  const caf::error e = errc::line_too_long;
  CHECK(e == errc::line_too_long);
  CHECK(e != errc::cancelled);
  CHECK(e.category() == caf::atom("troupe"));
  CHECK(failure(make_error(errc::line_too_long, "line 7")).message()
        == "line 7: the line is too long");
}

TEST_CASE("a default-made failure says that nothing is wrong", "[failure]") {
  failure f;
  CHECK_FALSE(f);
  CHECK(f.code() == errc::none);
  f = errc::cancelled;
  CHECK(f);
  auto g = std::move(f);
  CHECK_FALSE(f);
  CHECK(g.check(errc::cancelled));
  CHECK(sizeof(failure) == sizeof(void*));
}

TEST_CASE("a failure holds a code with a context", "[failure]") {
  const failure f{errc::unknown_host, "example.org"};
  const auto copy = f;
  CHECK(copy.check(errc::unknown_host));
  CHECK_FALSE(copy.check(errc::no_route));
  CHECK(copy.message() == "example.org: the host is unknown");
  CHECK(copy.type_name() == "troupe::errc::unknown_host");
  std::ostringstream out;
  out << copy;
  CHECK(out.str() == copy.message());
  CHECK(to_string(copy) == copy.message());
}

TEST_CASE("a failure holds an exception, which check and trap find by its bases too", "[failure]") {
  const auto f = caught(std::out_of_range("index 9"));
  CHECK(f.check<std::out_of_range>());
  CHECK(f.check<std::logic_error>());
  CHECK_FALSE(f.check<std::runtime_error>());
  CHECK(f.check(errc::exception));
  CHECK(f.message() == "index 9");
  CHECK(f.type_name() == "std::out_of_range");
  CHECK_NOTHROW(f.trap<std::runtime_error, std::logic_error>());
  CHECK_THROWS_AS(f.trap<std::runtime_error>(), std::out_of_range);
  CHECK_THROWS_AS(f.raise(), std::out_of_range);
  CHECK_THROWS_AS(std::rethrow_exception(f.value()), std::out_of_range);
}

TEST_CASE("an exception object is wrapped", "[failure][D23]") {
  const failure f = std::invalid_argument("no");
  CHECK(f.check<std::invalid_argument>());
}

TEST_CASE("the current exception can be had in a catch block only", "[failure][D23]") {
  CHECK_THROWS_AS(failure::current(), no_current_exception);
  CHECK(caught(7).check(errc::exception));
  CHECK(caught(7).type_name() == "int");
}

TEST_CASE("a raised code is a std::system_error and keeps its code when caught", "[failure]") {
  const failure f{errc::connection_lost, "peer 3"};
  try {
    f.raise();
  } catch (const std::system_error& e) {
    CHECK(e.code() == errc::connection_lost);
    CHECK(failure::current().check(errc::connection_lost));
    CHECK(failure::current().message() == f.message());
  }
  CHECK(f.check<std::system_error>());
  CHECK_FALSE(f.check<cancelled_error>());
  CHECK_NOTHROW(f.trap(errc::connection_done, errc::connection_lost));
  CHECK_THROWS_AS(f.trap(errc::connection_done), std::system_error);
}

TEST_CASE("cancelled and timed out have exceptions of their own", "[failure]") {
  CHECK(failure(errc::cancelled).check<cancelled_error>());
  CHECK_THROWS_AS(failure(errc::cancelled).raise(), cancelled_error);
  CHECK_THROWS_AS(failure(errc::timed_out, "10 s").raise(), timeout_error);
  CHECK(caught(cancelled_error()).check(errc::cancelled));
}

TEST_CASE("a brief traceback tells where the failure was made and what is nested in it",
          "[failure]") {
  try {
    try {
      throw std::runtime_error("disk full");
    } catch (...) {
      std::throw_with_nested(std::logic_error("cannot save"));
    }
  } catch (...) {
    const auto text = failure::current().brief_traceback();
    CHECK(text.find("cannot save\n  at ") != std::string::npos);
    CHECK(text.find("failure_test.cpp:") != std::string::npos);
    CHECK(text.find("\ncaused by std::runtime_error: disk full") != std::string::npos);
  }
}

TEST_CASE("CAF's errors become failures and come back as they were", "[failure]") {
  CHECK(failure(caf::error(caf::sec::request_timeout)).check(errc::timed_out));
  CHECK(failure(caf::error(caf::sec::request_receiver_down)).check(errc::actor_down));
  CHECK(failure(caf::error(caf::sec::request_timeout)).check(caf::sec::request_timeout));
  const failure f{caf::error(caf::exit_reason::kill)};
  CHECK(f.check(caf::exit_reason::kill));
  CHECK(f.message() == "kill");
  CHECK(f.to_caf_error() == caf::exit_reason::kill);
  CHECK(failure(make_error(caf::sec::unexpected_response, 7)).message()
        == "unexpected_response(7)");
  CHECK_FALSE(failure(caf::error{}));
  CHECK_FALSE(failure().to_caf_error());
}

TEST_CASE("no error of CAF's own is of an unknown category", "[failure]") {
  const auto what = [](const failure& f) -> std::string {
    try {
      f.raise();
    } catch (const std::system_error& e) {
      CHECK(e.code() == f.code());
      return e.what();
    }
  };
  const failure killed{caf::error(caf::exit_reason::kill)};
  CHECK(killed.code().category().name() == std::string{"caf::exit"});
  CHECK(killed.code().message() == "kill");
  CHECK(killed.type_name() == "caf::exit");
  CHECK(what(killed) == "kill");
  const failure response{make_error(caf::sec::unexpected_response, 7)};
  CHECK(response.code().category().name() == std::string{"caf::system"});
  CHECK(what(response) == "unexpected_response(7)");
  CHECK(what(failure{make_error(caf::pec::unexpected_eof)}) == "unexpected_eof");
  const failure unhandled{make_error(caf::sec::unexpected_message, std::string{"('add', 1)"})};
  CHECK(unhandled.check(errc::no_handler));
  CHECK(unhandled.message() == "no handler for ('add', 1)");
  CHECK(what(unhandled) == "no handler for ('add', 1)");
  CHECK(failure{caf::error(caf::sec::unexpected_message)}.message()
        == "there is no handler for the message");
}

TEST_CASE("a failure sent within the process keeps its exception", "[failure]") {
  const failure arrived{caught(std::out_of_range("x")).to_caf_error()};
  CHECK(arrived.check<std::out_of_range>());
}

TEST_CASE("a failure survives a trip to another node", "[failure]") {
  other_node node;
  SECTION("as a bare code") {
    CHECK(node.receive(errc::line_too_long).check(errc::line_too_long));
  }
  SECTION("as a code with its context") {
    const failure f{errc::unknown_host, "example.org"};
    CHECK(node.receive(f).check(errc::unknown_host));
    CHECK(node.receive(f).message() == f.message());
  }
  SECTION("as a code of the system") {
    const failure f{std::error_code(104, std::system_category()), "peer"};
    CHECK(node.receive(f).code() == f.code());
    CHECK(node.receive(f).message() == f.message());
    CHECK(node.receive(caught(std::system_error(f.code(), "peer"))).message() == f.message());
  }
  SECTION("as a code of a category that the other side does not know") {
    const failure f{std::error_code(700, foreign_codes), "asked"};
    const auto arrived = node.receive(f);
    CHECK(arrived.check(errc::foreign));
    CHECK(arrived.check(std::error_code(700, foreign_codes)));
    CHECK_FALSE(arrived.check(std::error_code(701, foreign_codes)));
    CHECK(arrived.message() == "asked: foreign 700");
    CHECK(arrived.type_name() == "test.foreign");
    CHECK(node.receive(arrived).message() == arrived.message());
  }
  SECTION("as the text and type name of an exception") {
    const auto arrived = node.receive(caught(std::out_of_range("index 9")));
    CHECK(arrived.check(errc::exception));
    CHECK(arrived.message() == "index 9");
    CHECK(arrived.type_name() == "std::out_of_range");
    CHECK(arrived.check<remote_exception>());
    CHECK_FALSE(arrived.check<std::out_of_range>());
    CHECK(node.receive(arrived).type_name() == "std::out_of_range");
  }
  SECTION("as an error of CAF") {
    const auto arrived = node.receive(caf::error(caf::exit_reason::kill));
    CHECK(arrived.check(caf::exit_reason::kill));
    CHECK(arrived.message() == "kill");
    CHECK(arrived.type_name() == "caf::exit");
    CHECK(node.receive(arrived).message() == "kill");
  }
}

TEST_CASE("the text of an exception of ours begins with no colon", "[failure]") {
  CHECK(std::string{timeout_error{}.what()} == "it took longer than allowed");
  CHECK(std::string{cancelled_error{}.what()} == "it was cancelled");
  CHECK(std::string{timeout_error{"lunch"}.what()} == "lunch: it took longer than allowed");
  const auto text_of = [](const failure& why) -> std::string {
    try {
      why.raise();
    } catch (const std::exception& e) {
      return e.what();
    }
  };
  for (const auto code : {errc::timed_out, errc::cancelled, errc::connection_lost})
    CHECK(text_of(code) == make_error_code(code).message());
}
