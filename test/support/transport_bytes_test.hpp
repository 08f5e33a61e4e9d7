// How bytes come and go, over every transport: see transport_suite.hpp.

#include "support/transport_suite.hpp"

TRANSPORT_TEST("bytes come and go in order, whatever they are", "[T01]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string& text) {
      p.transport().write(text);
    };
  }};
  std::string all;
  for (int i = 0; i < 3000; ++i)
    all += static_cast<char>(i * 31 + (i >> 8));
  for (std::size_t at = 0; at < all.size(); at += 500)
    s.peer.send(std::string_view{all}.substr(at, 500));
  CHECK(s.peer.receive(all.size()) == all);
}

TRANSPORT_TEST("all ways of writing keep their order", "[T19]") {
  const std::string large(100'000, 'l');
  scene<TestType> s{[&](script& x) {
    x.made = [&](subject& p) {
      auto& t = p.transport();
      t.write("1");
      t.write("");
      t.write_sequence({"2", "", "3"});
      t.write(shared_bytes{std::string_view{"4"}});
      t.write(shared_bytes{std::string_view{large}});
      t.write(large);
      t.write_sequence({"5", large, "6"});
      t.write(shared_bytes{});
      t.lose_connection();
    };
  }};
  CHECK(s.peer.rest() == "1234" + large + large + "5" + large + "6");
  CHECK(s.happened(1) == list{done});
}

TRANSPORT_TEST("megabytes arrive before the connection closes", "[T17]") {
  const std::string large(8u << 20, 'x');
  scene<TestType> s{[&](script& x) {
    x.made = [&](subject& p) {
      p.transport().write(large);
      p.transport().lose_connection();
    };
  }};
  CHECK(s.peer.rest() == large);
  CHECK(s.happened(1) == list{done});
}

TRANSPORT_TEST("a connection that is paused at first delivers nothing until resumed", "[T26]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().pause_producing();
    };
    x.data = [](subject& p, const std::string& text) {
      if (p.count++ == 0)
        p.log->add("data");
      p.transport().write(text);
    };
  }};
  const std::string data(30'000, 'q');
  s.peer.send(data);
  s.as_subject([](subject& p) {
    p.log->add("resumed");
    p.transport().resume_producing();
  });
  CHECK(s.peer.receive(data.size()) == data);
  CHECK(s.happened(2) == list{"resumed", "data"});
}

TRANSPORT_TEST("a pause and a resume in every read lose nothing", "[T26]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string& text) {
      p.transport().pause_producing();
      p.transport().write(text);
      p.transport().resume_producing();
      p.transport().pause_producing();
      p.call_later(duration::zero(), [&p] { p.transport().resume_producing(); });
    };
  }};
  std::string sent;
  for (int i = 0; i < 20; ++i) {
    const auto piece = "piece " + std::to_string(i) + ' ';
    s.peer.send(piece);
    sent += piece;
    if constexpr (requires { s.peer.net; })
      s.peer.net.advance(duration::zero());
  }
  CHECK(s.peer.receive(sent.size()) == sent);
}
