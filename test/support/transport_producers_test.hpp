// Producers and limits of output, over every transport: see transport_suite.hpp.

#include "support/transport_suite.hpp"

TRANSPORT_TEST("a push producer is paused above the high mark, once, and resumed when all is sent",
               "[W01]") {
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string&) {
      auto& t = p.transport();
      t.register_producer(p, true);
      for (int i = 0; i < 64; ++i)
        t.write(std::string(1024, 'b')); // small ones wait for the end of the turn
      p.log->add(std::to_string(t.unsent()));
      t.write("c");
      t.write("d");
    };
    x.resume = [](subject& p) {
      p.log->add(std::to_string(p.transport().unsent()));
    };
  }};
  s.peer.send("go");
  CHECK(s.peer.receive(65'538) == std::string(65'536, 'b') + "cd");
  CHECK(s.happened(4) == list{"65536", "pause", "resume", "0"});
}

TRANSPORT_TEST("a paused producer is resumed at a low mark above zero", "[limits]") {
  constexpr std::size_t size = 64u << 20;
  constexpr std::size_t low = 48u << 20; // more than the system's buffers take
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().set_output_limits({.high = 1000, .low = low, .hard = 2 * size});
      p.transport().register_producer(p, true);
      p.transport().write(std::string(size, 'x'));
    };
    x.resume = [](subject& p) {
      const auto left = p.transport().unsent();
      p.log->add(left > low ? "too early" : left == 0 ? "too late" : "in time");
      p.transport().unregister_producer();
    };
  }};
  CHECK(s.happened(1) == list{"pause"});
  // All is not sent before the peer takes the rest, however fast it reads.
  CHECK(s.peer.receive(size - low).size() == size - low);
  CHECK(s.happened(3) == list{"pause", "resume", "in time"});
  CHECK(s.peer.receive(low).size() == low);
}

TRANSPORT_TEST("a pull producer is asked at once and whenever all is sent, never paused", "[W02]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().register_producer(p, false);
    };
    x.resume = [](subject& p) {
      if (++p.count <= 3)
        return p.transport().write(std::string(100'000, static_cast<char>('0' + p.count)));
      p.transport().unregister_producer();
      p.transport().lose_connection();
    };
  }};
  CHECK(s.peer.rest()
        == std::string(100'000, '1') + std::string(100'000, '2') + std::string(100'000, '3'));
  CHECK(s.happened(5) == list{"resume", "resume", "resume", "resume", done});
}

TRANSPORT_TEST("a second producer is refused, and one on a closing connection is stopped",
               "[W03]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      auto& t = p.transport();
      t.register_producer(p, false);
      for (const bool streaming : {true, false}) {
        try {
          t.register_producer(p, streaming);
          p.log->add("taken");
        } catch (const std::logic_error&) {
        }
      }
      t.unregister_producer();
      t.abort_connection();
      t.register_producer(p, true);
    };
  }};
  s.peer.rest();
  CHECK(s.happened(3) == list{"resume", "stop", aborted});
}

TRANSPORT_TEST("lose_connection waits for a registered producer, and takes its output", "[W05]") {
  const bool streaming = GENERATE(true, false);
  scene<TestType> s{[&](script& x) {
    x.made = [streaming](subject& p) {
      p.transport().register_producer(p, streaming);
      p.transport().write("one ");
      p.transport().lose_connection();
    };
  }};
  CHECK(s.peer.receive(4) == "one ");
  s.as_subject([](subject& p) {
    p.transport().write("two");
    p.transport().unregister_producer();
    p.transport().write("refused");
    p.log->add("unregistered");
  });
  CHECK(s.peer.rest() == "two");
  s.happened(streaming ? 2 : 4); // a pull producer is asked twice
  CHECK(s.log.all().back() == done);
}

TRANSPORT_TEST("a producer is stopped once, however its connection ends", "[F-P9]") {
  const std::string how = GENERATE("close", "reset", "abort", "quit");
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().register_producer(p, true);
    };
  }};
  if (how == "close")
    s.peer.close();
  else if (how == "reset")
    s.peer.reset();
  else
    s.as_subject([&](subject& p) {
      if (how == "quit")
        p.quit();
      else
        p.transport().abort_connection();
    });
  CHECK(s.happened(2)
        == list{"stop", how == "reset"   ? TestType::after_reset()
                        : how == "abort" ? aborted
                                         : done});
}

TRANSPORT_TEST("a producer that writes when resumed is paused and resumed again and again",
               "[W17]") {
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().set_output_limits({.high = 10});
      p.transport().register_producer(p, true);
      p.transport().write("more than ten");
    };
    x.resume = [](subject& p) {
      if (++p.count < 4)
        return p.transport().write("and again more than ten");
      p.transport().unregister_producer();
      p.transport().lose_connection();
    };
  }};
  s.peer.rest();
  CHECK(s.happened(9)
        == list{"pause", "resume", "pause", "resume", "pause", "resume", "pause", "resume", done});
}

TRANSPORT_TEST("over the hard limit the policy decides", "[limits]") {
  const auto policy = GENERATE(overflow_policy::close, overflow_policy::drop);
  scene<TestType> s{[&](script& x) {
    x.made = [policy](subject& p) {
      p.transport().set_output_limits({.hard = 1000, .policy = policy});
      for (int i = 0; i < 4; ++i)
        p.transport().write(std::string(600, static_cast<char>('a' + i)));
      p.log->add(std::to_string(p.transport().refused_writes()));
      if (policy == overflow_policy::drop)
        p.transport().lose_connection();
    };
  }};
  const auto got = s.peer.rest();
  s.happened(2);
  if (policy == overflow_policy::drop) {
    CHECK(got == std::string(600, 'a') + std::string(600, 'b'));
    CHECK(s.log.all() == list{"2", done});
  } else {
    CHECK(s.log.all().back() == subject::lost(errc::output_limit_reached));
  }
}

TRANSPORT_TEST("a burst within one turn does not meet the hard limit while the system takes it",
               "[limits]") {
  constexpr std::size_t piece = 2000;
  constexpr std::size_t pieces = 24; // fewer bytes than any system's buffers take
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string&) {
      p.transport().set_output_limits({.hard = 32 * 1024});
      for (std::size_t i = 0; i < pieces; ++i)
        p.transport().write(std::string(piece, static_cast<char>('a' + i)));
      p.log->add(std::to_string(p.transport().refused_writes()));
    };
  }};
  s.peer.send("go");
  CHECK(s.happened(1) == list{"0"});
  std::string all;
  for (std::size_t i = 0; i < pieces; ++i)
    all.append(piece, static_cast<char>('a' + i));
  CHECK(s.peer.receive(all.size()) == all);
}

TRANSPORT_TEST("of a burst that no system takes whole, what was not refused arrives in order",
               "[limits]") {
  constexpr std::size_t piece = 4000;
  constexpr std::size_t pieces = 4000; // more than any system holds in its own buffers
  std::size_t refused = 0;
  scene<TestType> s{[&](script& x) {
    x.data = [&](subject& p, const std::string&) {
      p.transport().set_output_limits({.hard = 64 * 1024, .policy = overflow_policy::drop});
      for (std::size_t i = 0; i < pieces; ++i)
        p.transport().write(std::string(piece, static_cast<char>('a' + i % 26)));
      refused = p.transport().refused_writes();
      p.transport().lose_connection();
      p.log->add("written");
    };
  }};
  s.peer.send("go");
  s.happened(1);
  CHECK(refused > 0);
  std::string taken;
  for (std::size_t i = 0; i < pieces - refused; ++i)
    taken.append(piece, static_cast<char>('a' + i % 26));
  CHECK((s.peer.rest() == taken));
  CHECK(s.happened(2) == list{"written", done});
}

TRANSPORT_TEST("what is held for a peer that never reads is bounded by the hard limit",
               "[limits]") {
  constexpr std::size_t hard = 1u << 20;
  constexpr std::size_t piece = 30'000;
  scene<TestType> s{[](script& x) {
    x.made = [](subject& p) {
      p.transport().set_output_limits({.hard = hard});
    };
  }};
  // More than any system holds in its own buffers.
  std::size_t most = 0;
  for (int turn = 0; turn < 200 && s.log.all().empty(); ++turn)
    s.as_subject([&](subject& p) {
      for (int i = 0; i < 20; ++i) {
        p.transport().write(std::string(piece, 'x'));
        most = std::max(most, p.transport().unsent());
      }
    });
  CHECK(most >= hard);
  CHECK(most < hard + piece);
  CHECK(s.happened(1) == list{subject::lost(errc::output_limit_reached)});
}
