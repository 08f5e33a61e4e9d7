// What is asked for before it is there: an exception that says so.

#include <troupe/net/endpoint.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/process_protocol.hpp>
#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/testing/manual_runtime.hpp>
#include <troupe/testing/string_transport.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class F>
std::string refusal(F fn) {
  try {
    fn();
  } catch (const std::logic_error& e) {
    return e.what();
  }
  return "";
}

bool mentions(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

struct hasty : protocol {
  explicit hasty(caf::actor_config& cfg) : protocol(cfg) {
    told = refusal([this] { transport().write("hello"); });
  }
  std::string told;
};

struct hasty_process : process_protocol {
  explicit hasty_process(caf::actor_config& cfg) : process_protocol(cfg) {
    told = refusal([this] { transport().write("hello"); });
  }
  std::string told;
};

struct hasty_wrapper : protocol_wrapper {
  hasty_wrapper()
    : peer(refusal([this] { static_cast<void>(inner().get_peer()); })),
      whose(refusal([this] { static_cast<void>(wrapped_protocol().log_prefix()); })) {}
  std::string peer, whose;
};

struct eager : factory {
  using factory::factory;
  void start_factory() override {
    told = refusal([this] { static_cast<void>(make_protocol<hasty>()); });
  }
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<hasty>(); }
  std::string told;
};

} // namespace

TEST_CASE(
  "transport() in the constructor of a protocol, and after its end, says that there is none") {
  manual_runtime rt;
  const auto made = rt.spawn_on<hasty>(0);
  auto& p = *static_cast<hasty*>(caf::actor_cast<caf::abstract_actor*>(made));
  CHECK(mentions(p.told, "connection_made"));
  string_transport t;
  rt.in_turn([&] { p.enter([&] { p.make_connection(t); }); });
  CHECK(refusal([&] { static_cast<void>(p.transport()); }).empty());
  rt.in_turn([&] {
    t.close();
    p.end_connection(errc::connection_done);
  });
  CHECK(mentions(refusal([&] { static_cast<void>(p.transport()); }), "connection_lost"));
}

TEST_CASE("transport() of a process that does not run says so") {
  manual_runtime rt;
  const auto made = rt.spawn_on<hasty_process>(0);
  auto& p = *static_cast<hasty_process*>(caf::actor_cast<caf::abstract_actor*>(made));
  CHECK(mentions(p.told, "process"));
}

TEST_CASE("a wrapper without a connection says that it has none") {
  const hasty_wrapper w;
  CHECK(mentions(w.peer, "connection_made"));
  CHECK(mentions(w.whose, "protocol"));
}

TEST_CASE("a factory that no port has started is named, and not dereferenced") {
  const auto f = factory::for_protocol<hasty>();
  CHECK(f.started() == nullptr);
  CHECK(mentions(refusal([&] { f.get()->set_max_connections(3); }), "listen_tcp"));
}

TEST_CASE("make_protocol outside of build_protocol says where it belongs") {
  manual_runtime rt;
  const auto f = factory::of<eager>();
  rt.in_turn([&] {
    f.start(rt.system(), rt.scheduler().loop(0));
    f.get()->enter([&] { f.get()->do_start(); });
  });
  CHECK(mentions(static_cast<eager*>(f.get())->told, "build_protocol"));
}

TEST_CASE("a listening_port that names no port has no address") {
  const listening_port none;
  CHECK(mentions(refusal([&] { static_cast<void>(none.get_host()); }), "names no port"));
}

TEST_CASE("a connected_protocol that refers to nothing says so") {
  const connected_protocol none{nullptr};
  CHECK(mentions(refusal([&] { none.lose_connection(); }), "no connection"));
}
