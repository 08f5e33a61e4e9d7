// Producers, watermarks, pausing and half-closed connections, over real sockets.

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Runs one script as the protocol of every connection.
class scripted : public protocol, public producer {
public:
  struct script {
    std::function<void(scripted&)> made = [](scripted&) {
    };
    std::function<void(scripted&, std::string)> data = [](scripted&, std::string) {
    };
    std::function<void(scripted&)> resume = [](scripted&) {
    };
    std::function<void(scripted&)> pause = [](scripted&) {
    };
    std::function<void(scripted&)> stop = [](scripted&) {
    };
  };

  scripted(caf::actor_config& cfg, events* l, script* s) : protocol(cfg), log(l), script_(s) {}
  void connection_made() override { script_->made(*this); }
  void data_received(bytes_view data) override { script_->data(*this, std::string{as_text(data)}); }
  void connection_lost(const failure& why) override { log->add("lost: " + why.message()); }
  void resume_producing() override {
    log->add("resume");
    script_->resume(*this);
  }
  void pause_producing() override {
    log->add("pause");
    script_->pause(*this);
  }
  void stop_producing() override {
    log->add("stop");
    script_->stop(*this);
  }

  events* log;
  int count = 0;

private:
  script* script_;
};

class half : public scripted, public half_closeable {
public:
  using scripted::scripted;
  void read_connection_lost() override {
    log->add("read lost");
    if (count < 0)
      throw std::runtime_error("read side");
  }
  void write_connection_lost() override {
    log->add("write lost");
    if (count < 0)
      throw std::runtime_error("write side");
  }
};

template <class P = scripted>
struct served {
  explicit served(scripted::script s)
    : script(std::move(s)), server(1),
      port(listen_tcp(server.rt, 0, factory::for_protocol<P>(&log, &script))) {
    server.start();
  }
  [[nodiscard]] client connect() const { return client{port.get_host().port()}; }

  events log;
  scripted::script script;
  running server;
  listening_port port;
};

const std::string done = "lost: " + failure{errc::connection_done}.message();

} // namespace

TEST_CASE("a push producer is paused above the high mark and resumed when all is sent", "[W01]") {
  served<> s{{.made =
                [](scripted& p) {
                  p.transport().register_producer(p, true);
                  p.transport().write(std::string(65'535, 'a')); // not tried at once: see below
                },
              .data =
                [](scripted& p, std::string) {
                  // Small pieces are collected until the end of the turn.
                  for (int i = 0; i < 64; ++i)
                    p.transport().write(std::string(1024, 'b'));
                  p.log->add("at the mark");
                  p.transport().write("c");
                  p.transport().write("d");
                }}};
  auto c = s.connect();
  CHECK(c.receive(65'535) == std::string(65'535, 'a'));
  c.send("go");
  CHECK(c.receive(65'538).ends_with("bcd"));
  REQUIRE(s.log.wait(3));
  CHECK(s.log.all() == std::vector<std::string>{"at the mark", "pause", "resume"});
}

TEST_CASE("a pull producer is asked at once and after each piece, never paused", "[W02]") {
  served<> s{{.made = [](scripted& p) { p.transport().register_producer(p, false); },
              .resume =
                [](scripted& p) {
                  if (++p.count <= 3)
                    return p.transport().write(
                      std::string(100'000, static_cast<char>('0' + p.count)));
                  p.transport().unregister_producer();
                  p.transport().lose_connection();
                }}};
  auto c = s.connect();
  CHECK(c.rest()
        == std::string(100'000, '1') + std::string(100'000, '2') + std::string(100'000, '3'));
  REQUIRE(s.log.wait(5));
  CHECK(s.log.all() == std::vector<std::string>{"resume", "resume", "resume", "resume", done});
}

TEST_CASE("a second producer is refused, and one on a closing connection is stopped", "[W03]") {
  served<> s{{.made = [](scripted& p) {
    p.transport().register_producer(p, false);
    try {
      p.transport().register_producer(p, false);
    } catch (const std::logic_error&) {
      p.log->add("refused");
    }
    p.transport().unregister_producer();
    p.transport().abort_connection();
    p.transport().register_producer(p, true);
  }}};
  s.connect().rest();
  REQUIRE(s.log.wait(4));
  CHECK(s.log.all()
        == std::vector<std::string>{"resume", "refused", "stop",
                                    "lost: " + failure{errc::connection_aborted}.message()});
}

TEST_CASE("lose_connection waits for a registered producer, and takes its output", "[W05]") {
  served<> s{{.made = [](scripted& p) {
    p.transport().register_producer(p, true);
    p.transport().write("one ");
    p.transport().lose_connection();
    p.call_later(5ms, [&p] {
      p.transport().write("two");
      p.transport().unregister_producer();
      p.transport().write("refused");
    });
  }}};
  CHECK(s.connect().rest() == "one two");
}

TEST_CASE("a producer is stopped when its connection is lost", "[F-P9]") {
  served<> s{{.made = [](scripted& p) {
    p.transport().register_producer(p, true);
  }}};
  s.connect().reset();
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().front() == "stop");
}

TEST_CASE("a producer that throws closes the connection with that", "[T13]") {
  served<> s{{.made = [](scripted& p) { p.transport().register_producer(p, false); },
              .resume =
                [](scripted& p) {
                  if (++p.count == 2)
                    throw std::runtime_error("nothing to give");
                  p.transport().write("x");
                }}};
  s.connect().rest();
  REQUIRE(s.log.wait(4));
  CHECK(s.log.count("lost: nothing to give") == 1);
}

TEST_CASE("a producer that throws when stopped ends its connection once, whatever stopped it") {
  const std::string_view how = GENERATE("end", "reset", "throw", "quit");
  served<> s{{.made = [](scripted& p) { p.transport().register_producer(p, true); },
              .data =
                [](scripted& p, std::string text) {
                  if (text.starts_with('q'))
                    return p.quit();
                  throw std::runtime_error("in data_received");
                },
              .stop =
                [](scripted&) {
                  throw std::runtime_error("in stop_producing");
                }}};
  auto c = s.connect();
  if (how == "end")
    c.shut_write();
  else if (how == "reset")
    c.reset();
  else
    c.send(how);
  REQUIRE(s.log.wait(2));
  s.server.stop();
  const auto all = s.log.all();
  CHECK(all.size() == 2);
  CHECK(all.front() == "stop");
  std::string expected = "lost: in stop_producing";
  if (how == "quit")
    expected = done;
  else if (how == "throw")
    expected = "lost: in data_received";
  CHECK(all.back() == expected);
}

TEST_CASE("an exception when one side is closed ends the connection with it") {
  const bool read = GENERATE(true, false);
  served<half> s{{.made = [](scripted& p) { p.count = -1; },
                  .data =
                    [](scripted& p, std::string) {
                      p.transport().lose_write_connection();
                    }}};
  auto c = s.connect();
  if (read)
    c.shut_write();
  else
    c.send("x");
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all().back() == (read ? "lost: read side" : "lost: write side"));
}

TEST_CASE("a reset right behind a full small buffer is not taken for a clean end") {
  served<> s{{.data = [](scripted&, std::string) {
  }}};
  for (int i = 1; i <= 50; ++i) {
    auto c = s.connect();
    c.send(std::string(144, 'x'));
    c.reset();
    REQUIRE(s.log.wait(static_cast<std::size_t>(i)));
  }
  CHECK(s.log.count(done) == 0);
}

TEST_CASE("a producer that writes when resumed is paused and resumed again and again", "[W17]") {
  served<> s{{.made =
                [](scripted& p) {
                  p.transport().set_output_limits({.high = 10});
                  p.transport().register_producer(p, true);
                  p.transport().write("more than ten");
                },
              .resume =
                [](scripted& p) {
                  if (++p.count < 4)
                    return p.transport().write("and again more than ten");
                  p.transport().unregister_producer();
                  p.transport().lose_connection();
                }}};
  s.connect().rest();
  REQUIRE(s.log.wait(9));
  CHECK(s.log.all()
        == std::vector<std::string>{"pause", "resume", "pause", "resume", "pause", "resume",
                                    "pause", "resume", done});
}

TEST_CASE("a paused connection delivers nothing until it is resumed, then all in order", "[T26]") {
  served<> s{{.made =
                [](scripted& p) {
                  p.transport().pause_producing();
                  p.transport().write("ready");
                  p.call_later(20ms, [&p] {
                    p.log->add("resumed");
                    p.transport().resume_producing();
                  });
                },
              .data =
                [](scripted& p, std::string text) {
                  p.log->add("data");
                  p.transport().write(text);
                }}};
  auto c = s.connect();
  c.receive(5);
  const std::string data(100'000, 'q');
  c.send(data);
  CHECK(c.receive(data.size()) == data);
  CHECK(s.log.all().front() == "resumed");
}

TEST_CASE("bytes read just before a pause come first after it", "[T26]") {
  served<> s{{.data = [](scripted& p, std::string text) {
    p.transport().write(text);
    p.transport().pause_producing();
    p.call_later(1ms, [&p] { p.transport().resume_producing(); });
  }}};
  auto c = s.connect();
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const auto piece = "piece " + std::to_string(i) + ' ';
    c.send(piece);
    sent += piece;
  }
  CHECK(c.receive(sent.size()) == sent);
}

TEST_CASE("a closed peer is not noticed while reading is paused", "[W06][W07]") {
  served<> s{{.data = [](scripted& p, std::string) {
    p.transport().pause_producing();
    p.log->add("paused");
    p.call_later(20ms, [&p] {
      p.log->add("resumed");
      p.transport().resume_producing();
    });
  }}};
  {
    auto c = s.connect();
    c.send("x");
  }
  REQUIRE(s.log.wait(3));
  CHECK(s.log.all() == std::vector<std::string>{"paused", "resumed", done});
}

TEST_CASE("reading stops with lose_connection", "[T18]") {
  served<> s{{.data = [](scripted& p, std::string text) {
    p.log->add(text);
    p.transport().lose_connection();
    p.transport().register_producer(p, true); // holds the connection open
    p.call_later(20ms, [&p] { p.transport().unregister_producer(); });
  }}};
  auto c = s.connect();
  c.send("first");
  REQUIRE(s.log.wait(1));
  c.send("second");
  c.rest();
  REQUIRE(s.log.wait(2));
  CHECK(s.log.all() == std::vector<std::string>{"first", done});
}

TEST_CASE("a half-closeable protocol goes on when its peer has sent all", "[W09]") {
  served<half> s{{.data = [](scripted& p, std::string text) {
    p.transport().write(text);
  }}};
  auto c = s.connect();
  c.send("hello");
  c.receive(5);
  c.shut_write();
  REQUIRE(s.log.wait(1));
  CHECK(s.log.all() == std::vector<std::string>{"read lost"});
}

TEST_CASE("a half-closed write side sends what was written, and reading goes on", "[W09][W11]") {
  served<half> s{{.made =
                    [](scripted& p) {
                      p.transport().write("all there is");
                      p.transport().lose_write_connection();
                      p.transport().write("refused");
                    },
                  .data =
                    [](scripted& p, std::string text) {
                      p.log->add(text);
                    }}};
  auto c = s.connect();
  CHECK(c.rest() == "all there is");
  c.send("still read");
  REQUIRE(s.log.wait(2));
  c.shut_write();
  REQUIRE(s.log.wait(4));
  CHECK(s.log.all() == std::vector<std::string>{"write lost", "still read", "read lost", done});
}

TEST_CASE("a full output buffer is dropped by an abort", "[W13]") {
  served<> s{{.made = [](scripted& p) {
    p.transport().write(std::string(32u << 20, 'x'));
    p.log->add(p.transport().unsent() > 0 ? "unsent" : "all sent");
    p.transport().abort_connection();
    p.log->add(std::to_string(p.transport().unsent()));
  }}};
  auto c = s.connect();
  REQUIRE(s.log.wait(3)); // before the peer reads: it might be as fast as the one who writes
  CHECK(c.rest().size() < (32u << 20));
  CHECK(s.log.all()
        == std::vector<std::string>{"unsent", "0",
                                    "lost: " + failure{errc::connection_aborted}.message()});
}

TEST_CASE("over the hard limit the policy decides", "[limits]") {
  const auto policy = GENERATE(overflow_policy::close, overflow_policy::drop);
  served<> s{{.made = [policy](scripted& p) {
    p.transport().set_output_limits({.hard = 1000, .policy = policy});
    for (int i = 0; i < 4; ++i)
      p.transport().write(std::string(600, static_cast<char>('a' + i)));
    p.log->add(std::to_string(p.transport().refused_writes()));
    if (policy == overflow_policy::drop)
      p.transport().lose_connection();
  }}};
  auto c = s.connect();
  const auto got = c.rest();
  REQUIRE(s.log.wait(2));
  if (policy == overflow_policy::drop) {
    CHECK(got == std::string(600, 'a') + std::string(600, 'b'));
    CHECK(s.log.all() == std::vector<std::string>{"2", done});
  } else {
    CHECK(s.log.all().back() == "lost: " + failure{errc::output_limit_reached}.message());
  }
}
