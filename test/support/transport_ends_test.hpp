// How connections end, over every transport: see transport_suite.hpp.

#include "support/transport_suite.hpp"

TRANSPORT_TEST("writes after lose_connection are refused and counted", "[S1][T15]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      auto& t = p.transport();
      t.write("before");
      t.lose_connection();
      t.lose_connection();
      t.write("after");
      t.write_sequence({"after", "that"});
      t.write(shared_bytes{std::string_view{"and that"}});
      p.expect(t.connected() && t.disconnecting(), "connected and disconnecting");
      p.log->add(std::to_string(t.refused_writes()));
    };
    x.lost = [](subject& p) {
      auto& t = p.transport();
      p.expect(!t.connected(), "disconnected");
      t.write("after the end");
      t.write_sequence({"after", "the end"});
      t.lose_connection();
      t.abort_connection();
      t.lose_write_connection();
      t.pause_producing();
      t.resume_producing();
      p.expect(t.unsent() == 0, "empty");
      p.log->add(std::to_string(t.refused_writes()));
    };
  }};
  CHECK(s.peer.rest() == "before");
  CHECK(s.happened(3) == list{"3", "5", done});
}

TRANSPORT_TEST("each end is told once when both close together", "[T14]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string&) {
      p.transport().lose_connection();
    };
  }};
  s.peer.send("x");
  s.peer.close();
  CHECK(s.happened(1) == list{done});
  s.as_subject([](subject& p) { p.log->add("lives"); });
  CHECK(s.log.all() == list{done});
}

TRANSPORT_TEST("a peer that closes ends the connection cleanly", "[W10]") {
  scene<TestType> s{[](script&) {
  }};
  s.peer.close();
  CHECK(s.happened(1) == list{done});
}

TRANSPORT_TEST("a peer that closes its side first gets its answer", "[W10]") {
  const std::string answer(1u << 20, 'a');
  scene<TestType> s{[&](script& x) {
    x.data = [&](subject& p, const std::string&) {
      p.transport().write(answer);
    };
  }};
  s.peer.send("?");
  s.peer.shut_write();
  CHECK(s.peer.rest() == answer);
  CHECK(s.happened(1) == list{done});
}

TRANSPORT_TEST("a peer that resets breaks the connection, where it can", "[transport]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string& text) {
      p.transport().write(text);
    };
  }};
  s.peer.send("x");
  CHECK(s.peer.receive(1) == "x");
  s.peer.reset();
  CHECK(s.happened(1) == list{TestType::after_reset()});
}

TRANSPORT_TEST("reading stops with lose_connection", "[T18]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string& text) {
      p.log->add(text);
      p.transport().register_producer(p, true); // holds the connection open
      p.transport().lose_connection();
      p.transport().resume_producing(); // does not help
    };
  }};
  s.peer.send("first");
  CHECK(s.happened(1) == list{"first"});
  s.peer.send("second");
  s.as_subject([](subject& p) { p.transport().unregister_producer(); });
  CHECK(s.happened(2) == list{"first", done});
}

TRANSPORT_TEST("an abort is told once, drops what is unsent, and lets the peer know",
               "[W13][W14]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      auto& t = p.transport();
      t.write(std::string(32u << 20, 'x'));
      p.log->add(t.unsent() > 0 ? "unsent" : "all sent");
      t.abort_connection();
      t.abort_connection();
      t.lose_connection();
      t.write("refused");
      p.log->add(std::to_string(t.unsent()) + ' ' + std::to_string(t.refused_writes()));
    };
  }};
  s.happened(3); // until then the peer does not read, or it could take all of it meanwhile
  CHECK(s.peer.rest().size() < (32u << 20));
  CHECK(s.peer.was_reset() == TestType::hears_abort);
  CHECK(s.happened(3) == list{"unsent", "0 1", aborted});
}

TRANSPORT_TEST("a connection can be aborted while it closes", "[transport]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().write(std::string(32u << 20, 'x'));
      p.transport().lose_connection();
    };
  }};
  s.as_subject([](subject& p) { p.transport().abort_connection(); });
  CHECK(s.happened(1) == list{aborted});
}

TRANSPORT_TEST("an abort in any callback ends the connection once", "[W14]") {
  const std::string where = GENERATE("data", "resume", "pause", "stop");
  scene<TestType> s{[&](script& x) {
    const auto abort = [](subject& p) {
      p.transport().abort_connection();
    };
    x.data = [&where](subject& p, const std::string&) {
      auto& t = p.transport();
      if (where == "data")
        return t.abort_connection();
      if (where == "stop") {
        t.register_producer(p, true);
        return p.quit();
      }
      t.set_output_limits({.high = 10});
      t.register_producer(p, where == "pause");
      t.write("more than ten bytes");
    };
    (where == "resume" ? x.resume : where == "pause" ? x.pause : x.stop) = abort;
  }};
  s.peer.send("x");
  s.peer.rest();
  s.happened(where == "data" ? 1 : where == "stop" ? 2 : 3);
  CHECK(s.log.all().back() == (where == "stop" ? done : aborted));
  CHECK(s.log.count(aborted) + s.log.count(done) == 1);
}

TRANSPORT_TEST("a protocol that quits closes its connection, and sends what it wrote",
               "[transport]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string&) {
      p.transport().write("so long");
      p.quit();
    };
  }};
  s.peer.send("x");
  CHECK(s.peer.rest() == "so long");
  CHECK(s.happened(1) == list{done});
}

TRANSPORT_TEST("a connection that has ended leaves no descriptor behind", "[transport]") {
  const auto before = open_descriptors();
  {
    scene<TestType> s{[](script& x) {
      x.made = [](subject& p) {
        p.transport().write("bye");
        p.transport().lose_connection();
      };
    }};
    CHECK(s.peer.rest() == "bye");
    s.happened(1);
  }
  CHECK(open_descriptors() == before);
}

// -- exceptions ---------------------------------------------------------------------------------

TRANSPORT_TEST("an exception in a callback ends the connection with it", "[T13][W15][S5]") {
  const std::string where =
    GENERATE("made", "data", "data after an abort", "resume", "pause", "stop", "lost");
  scene<TestType> s{[&](script& x) {
    const auto fail = [&where](subject&) {
      throw std::runtime_error(where);
    };
    x.data = [&where](subject& p, const std::string&) {
      auto& t = p.transport();
      if (where == "data after an abort")
        t.abort_connection();
      if (where.starts_with("data"))
        throw std::runtime_error(where);
      if (where == "lost")
        return t.lose_connection();
      t.set_output_limits({.high = 10});
      t.register_producer(p, where == "pause");
      if (where == "stop")
        return p.quit();
      t.write("more than ten bytes");
    };
    if (where == "made")
      x.made = fail;
    else if (where == "resume")
      x.resume = fail;
    else if (where == "pause")
      x.pause = fail;
    else if (where == "stop")
      x.stop = fail;
    else if (where == "lost")
      x.lost = fail;
  }};
  if (where != "made")
    s.peer.send("x");
  s.peer.rest();
  if (where == "lost")
    return; // it is logged; there is nothing to see but that the process lives
  if (where == "stop") {
    s.happened(3);
    CHECK(s.log.all() == list{"resume", "stop", done});
    return;
  }
  const bool produces = where == "resume" || where == "pause";
  s.happened(produces ? 3 : 1);
  CHECK(s.log.all().back() == "lost: " + where);
  CHECK(s.log.count("lost: " + where) == 1);
  CHECK(s.log.count("stop") == (produces ? 1 : 0));
}

TRANSPORT_TEST("an exception when one direction closes ends the connection with it", "[F-P8]") {
  const bool read = GENERATE(true, false);
  scene<TestType, half_subject> s{[](script& x) {
    x.read_lost = [](subject&) {
      throw std::runtime_error("read side");
    };
    x.write_lost = [](subject&) {
      throw std::runtime_error("write side");
    };
    x.data = [](subject& p, const std::string&) {
      p.transport().lose_write_connection();
    };
  }};
  if (read)
    s.peer.shut_write();
  else
    s.peer.send("x");
  s.happened(2);
  CHECK(s.log.all().back() == (read ? "lost: read side" : "lost: write side"));
}
