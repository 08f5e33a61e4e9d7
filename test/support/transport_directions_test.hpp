// Connections of which one direction is closed, over every transport: see transport_suite.hpp.

#include "support/transport_suite.hpp"

TRANSPORT_TEST("a half-closeable protocol goes on when its peer has sent all", "[W09]") {
  scene<TestType, half_subject> s{[](script&) {
  }};
  s.peer.shut_write();
  CHECK(s.happened(1) == list{"read lost"});
  s.as_subject([](subject& p) {
    p.transport().write("still here");
    p.transport().lose_connection();
  });
  CHECK(s.peer.rest() == "still here");
  CHECK(s.happened(2) == list{"read lost", done});
}

TRANSPORT_TEST("a closed write side sends what was written, and reading goes on", "[W09][W11]") {
  scene<TestType, half_subject> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().write("all there is");
      p.transport().lose_write_connection();
      p.transport().lose_write_connection();
      p.transport().write("refused");
    };
    x.data = [](subject& p, const std::string& text) {
      p.log->add(text);
    };
  }};
  CHECK(s.peer.rest() == "all there is");
  s.peer.send("still read");
  CHECK(s.happened(2) == list{"write lost", "still read"});
  s.peer.shut_write();
  CHECK(s.happened(4) == list{"write lost", "still read", "read lost", done});
}

TRANSPORT_TEST("closing both directions, one in the other's callback, closes the connection",
               "[W09]") {
  scene<TestType, half_subject> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().lose_write_connection();
    };
    x.write_lost = [](subject& p) {
      p.transport().lose_connection();
    };
  }};
  CHECK(s.peer.rest().empty());
  CHECK(s.happened(2) == list{"write lost", done});
}

TRANSPORT_TEST("an end while reading is paused is told when reading resumes", "[W06][W07]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().pause_producing();
    };
  }};
  s.peer.close();
  s.as_subject([](subject& p) {
    p.log->add("resumed");
    p.transport().resume_producing();
  });
  CHECK(s.happened(2) == list{"resumed", done});
}
