// What every transport does alike, as its protocol and its peer see it. Included by a test that
// has defined `transports`, a std::tuple of adaptors (support/subject.hpp tells what one is).

#include <troupe/runtime/failure.hpp>

#include "support/catch.hpp"
#include "support/subject.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using script = subject::script;
using list = std::vector<std::string>;

std::string lost(errc code) {
  return "lost: " + failure{code}.message();
}

const std::string done = lost(errc::connection_done);
const std::string aborted = lost(errc::connection_aborted);
const std::string broken = "lost: broken";

} // namespace

#define TRANSPORT_TEST(name, tags) TEMPLATE_LIST_TEST_CASE(name, tags, transports)

// -- bytes --------------------------------------------------------------------------------------

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

// -- ends ---------------------------------------------------------------------------------------

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
  if (!TestType::half_closes)
    return;
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

TRANSPORT_TEST("a peer that resets breaks the connection", "[transport]") {
  if (!TestType::tells_reset)
    return;
  scene<TestType> s{[](script& x) {
    x.data = [](subject& p, const std::string& text) {
      p.transport().write(text);
    };
  }};
  s.peer.send("x");
  CHECK(s.peer.receive(1) == "x");
  s.peer.reset();
  CHECK(s.happened(1) == list{broken});
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
  CHECK(s.peer.rest().size() < (32u << 20));
  if (TestType::tells_reset)
    CHECK(s.peer.was_reset());
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
  if (!TestType::half_closes)
    return;
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

// -- one direction ------------------------------------------------------------------------------

TRANSPORT_TEST("a half-closeable protocol goes on when its peer has sent all", "[W09]") {
  if (!TestType::half_closes)
    return;
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
  if (!TestType::half_closes)
    return;
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
  if (!TestType::half_closes)
    return;
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

// -- producers and limits -----------------------------------------------------------------------

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
  if (how == "reset" && !TestType::tells_reset)
    return;
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
  CHECK(s.happened(2) == list{"stop", how == "reset" ? broken : how == "abort" ? aborted : done});
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
    CHECK(s.log.all().back() == lost(errc::output_limit_reached));
  }
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
  CHECK(s.happened(1) == list{lost(errc::output_limit_reached)});
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
