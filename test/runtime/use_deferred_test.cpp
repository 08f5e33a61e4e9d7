#include <troupe/runtime/use_deferred.hpp>

#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// An operation that completes with whatever a test wants.
template <class Signature, class... Args>
auto completes_with(asio::io_context& io, Args... args) {
  return asio::async_initiate<const use_deferred_t&, Signature>(
    [&io](auto handler, auto... values) {
      asio::post(io, [handler = std::move(handler), values...]() mutable { handler(values...); });
    },
    use_deferred, std::move(args)...);
}

} // namespace

TEST_CASE("what an Asio operation completes with is the result of its deferred", "[use_deferred]") {
  asio::io_context io;
  auto nothing = completes_with<void()>(io);
  auto one = completes_with<void(int)>(io, 1);
  auto ok = completes_with<void(std::error_code)>(io, std::error_code{});
  auto value = completes_with<void(std::error_code, int)>(io, std::error_code{}, 2);
  auto several = completes_with<void(std::error_code, int, std::string)>(io, std::error_code{}, 3,
                                                                         std::string{"x"});
  auto failed =
    completes_with<void(std::error_code, int)>(io, make_error_code(std::errc::no_such_device), 0);
  auto thrown = completes_with<void(std::exception_ptr, int)>(
    io, std::make_exception_ptr(std::runtime_error("x")), 0);
  assert_no_result(one);
  io.run();
  success_result_of(std::move(nothing));
  CHECK(success_result_of(std::move(one)) == 1);
  success_result_of(std::move(ok));
  CHECK(success_result_of(std::move(value)) == 2);
  CHECK(success_result_of(std::move(several)) == std::tuple{3, std::string{"x"}});
  CHECK(failure_result_of(std::move(failed)).check(std::errc::no_such_device));
  failure_result_of<std::runtime_error>(std::move(thrown));
}

TEST_CASE("cancelling the deferred cancels the operation", "[use_deferred]") {
  asio::io_context io;
  asio::steady_timer timer{io, 1h};
  auto d = timer.async_wait(use_deferred);
  d.cancel();
  failure_result_of(std::move(d), errc::cancelled);
  CHECK(io.run() == 1); // the operation came to its end at once
}

TEST_CASE("an operation that is cancelled in Asio's way fails its deferred", "[use_deferred]") {
  asio::io_context io;
  asio::steady_timer timer{io, 1h};
  auto d = timer.async_wait(use_deferred);
  timer.cancel();
  io.run();
  failure_result_of(std::move(d), errc::cancelled);
}

TEST_CASE("an operation that is dropped takes what waits along", "[use_deferred]") {
  bool ran = false;
  const auto held = std::make_shared<int>();
  {
    asio::io_context io;
    asio::steady_timer timer{io, 1h};
    timer.async_wait(use_deferred).add_both([&, held](outcome<void>) { ran = true; });
    CHECK(held.use_count() == 2);
  }
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}

TEST_CASE("an operation that ends with the runtime calls nobody", "[use_deferred]") {
  bool ran = false;
  const auto held = std::make_shared<int>();
  {
    runtime rt{{.loops = 1, .install_signal_handlers = false}};
    asio::steady_timer timer{rt.scheduler().loop(0).io(), 1h};
    timer.async_wait(use_deferred).add_both([&, held](outcome<void>) { ran = true; });
    timer.cancel();
    CHECK(held.use_count() == 2);
  }
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}

namespace {

deferred<std::string> exchange(asio::io_context& io, std::string text) {
  asio::local::stream_protocol::socket a{io};
  asio::local::stream_protocol::socket b{io};
  asio::local::connect_pair(a, b);
  auto sent = asio::async_write(a, asio::buffer(text), use_deferred);
  std::string got(text.size(), ' ');
  co_await asio::async_read(b, asio::buffer(got), use_deferred);
  if (co_await std::move(sent) != text.size())
    co_return failure{errc::connection_lost};
  co_return got;
}

} // namespace

TEST_CASE("a coroutine waits for Asio's operations on a loop", "[use_deferred]") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  std::string got;
  rt.reactor().call_when_running([&] {
    exchange(rt.scheduler().loop(0).io(), std::string(100'000, 'x'))
      .add_both([&](outcome<std::string> s) {
        got = s ? *s : s.error().message();
        rt.stop();
      });
  });
  rt.run();
  CHECK(got == std::string(100'000, 'x'));
}
