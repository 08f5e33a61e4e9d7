#include <troupe/net/request_client.hpp>

#include <charconv>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/net/line_receiver.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// Takes a line off `in`, or nothing if there is no end of one.
std::optional<std::string> take_line(std::string_view& in) {
  const auto end = in.find("\r\n");
  if (end == std::string_view::npos)
    return std::nullopt;
  auto line = std::string{in.substr(0, end)};
  in.remove_prefix(end + 2);
  return line;
}

/// "7 text" asks; "7 text" answers, "7 !text" refuses, "0 text" is said without a question.
struct numbered {
  using request = std::string;
  using response = std::string;

  void encode(std::string& out, std::uint64_t id, const std::string& text) {
    if (text == "bad")
      throw std::invalid_argument("this cannot be said");
    out += std::to_string(id) + ' ' + text + "\r\n";
  }

  std::optional<request_answer<std::string>> decode(std::string_view& in) {
    const auto line = take_line(in);
    if (!line)
      return std::nullopt;
    std::uint64_t id{};
    const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), id);
    if (error != std::errc{} || end == line->data() + line->size())
      throw std::system_error(make_error_code(errc::malformed_input), *line);
    const auto text = line->substr(static_cast<std::size_t>(end - line->data()) + 1);
    if (text.starts_with('!'))
      return {{id, failure{errc::invalid_argument, text.substr(1)}}};
    return {{id, text}};
  }

  void encode_cancel(std::string& out, std::uint64_t id) {
    out += std::to_string(id) + " /cancel\r\n";
  }
};

/// Answers that carry no number.
struct ordered {
  using request = std::string;
  using response = std::string;
  static constexpr bool in_order = true;

  void encode(std::string& out, std::uint64_t, const std::string& text) {
    if (text == "bad")
      throw std::invalid_argument("this cannot be said");
    out += text + "\r\n";
  }
  std::optional<request_answer<std::string>> decode(std::string_view& in) {
    auto line = take_line(in);
    if (!line)
      return std::nullopt;
    return {{1, *std::move(line)}};
  }
};

/// Numbers that begin again.
struct few_numbers : numbered {
  static constexpr std::uint64_t max_id = 3;
};

/// Notes what it is asked; the test answers.
class server final : public line_receiver {
public:
  server(caf::actor_config& cfg, std::vector<server*>* all) : line_receiver(cfg) {
    all->push_back(this);
  }
  void line_received(std::string_view line) override { asked.emplace_back(line); }

  std::vector<std::string> asked;
};

/// Connects within a `memory_network`.
class memory_endpoint final : public client_endpoint {
public:
  explicit memory_endpoint(memory_network& n) : net_(n) {}

  deferred<connected_protocol> connect(const factory_ref& f) override {
    ++attempts;
    try {
      auto& loop = net_.rt.scheduler().loop(0);
      f.start(net_.rt.system(), loop);
      protocol_ptr built;
      f.get()->enter([&] { built = f.get()->build({}, loop); });
      net_.connect_protocol(7, *built);
      return succeed(connected_protocol{caf::strong_actor_ptr{built->ctrl()}});
    } catch (...) {
      return fail<connected_protocol>(failure::current());
    }
  }

  int attempts = 0;

private:
  memory_network& net_;
};

/// What came of a request.
struct reply {
  std::string text;
  failure why;
  bool over = false;
};

template <class Codec>
struct fixture {
  explicit fixture(request_client_options<Codec> o = {}, bool listens = true) {
    if (listens)
      listen();
    o.clock = &net.rt.reactor();
    o.retry = backoff_policy({.initial = 1s, .factor = 1, .jitter = [] {
                                return duration(0);
                              }});
    to = std::make_shared<memory_endpoint>(net);
    client = std::make_shared<request_client<Codec>>(net.rt, to, std::move(o));
  }
  ~fixture() {
    in_turn([this] { client.reset(); });
  }

  template <class F>
  void in_turn(F fn) {
    net.rt.in_turn(fn);
    net.flush();
  }
  void listen() { net.listen(7, factory::for_protocol<server>(&servers)); }
  void start() {
    in_turn([this] { success_result_of(client->start_service()); });
  }

  std::shared_ptr<reply> ask(const std::string& text, std::optional<duration> timeout = {}) {
    auto r = std::make_shared<reply>();
    in_turn([&] {
      auto d = timeout ? client->request(text, *timeout) : client->request(text);
      cancellers.push_back(d.canceller());
      std::move(d).add_both([r](outcome<std::string> got) {
        r->over = true;
        if (got)
          r->text = *std::move(got);
        else
          r->why = got.error();
      });
    });
    return r;
  }
  void answer(const std::string& text) {
    net.enter(*servers.back(), [&] { servers.back()->transport().write(text); });
    net.flush();
  }
  void lose() {
    net.enter(*servers.back(), [&] { servers.back()->transport().lose_connection(); });
    net.flush();
  }
  const std::vector<std::string>& asked() const { return servers.back()->asked; }

  std::vector<server*> servers;
  memory_network net;
  std::shared_ptr<memory_endpoint> to;
  std::shared_ptr<request_client<Codec>> client;
  std::vector<canceller> cancellers;
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("answers find their requests, in whatever order they come", "[request_client]") {
  fixture<numbered> t;
  t.start();
  CHECK(t.client->connected());
  const auto a = t.ask("one");
  const auto b = t.ask("two");
  const auto c = t.ask("three");
  CHECK(t.asked() == texts{"1 one", "2 two", "3 three"});
  CHECK(t.client->pending() == 3);
  t.answer("3 drei\r\n1 eins\r\n");
  CHECK(a->text == "eins");
  CHECK_FALSE(b->over);
  CHECK(c->text == "drei");
  t.answer("2 !no such word\r\n");
  CHECK(b->why.check(errc::invalid_argument));
  CHECK(t.client->pending() == 0);
}

TEST_CASE("answers are read in pieces of any size", "[request_client]") {
  const std::size_t size = GENERATE(1u, 2u, 3u, 7u, 100u);
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  const auto b = t.ask("two");
  const std::string all = "2 zwei\r\n1 eins\r\n";
  for (std::size_t i = 0; i < all.size(); i += size)
    t.answer(all.substr(i, size));
  CHECK(a->text == "eins");
  CHECK(b->text == "zwei");
}

TEST_CASE("a request fails at its time-out, which names the line, and a late answer is dropped",
          "[request_client]") {
  fixture<numbered> t{{.timeout = 5s}};
  t.start();
  const auto usual = t.ask("one");
  const auto quick = t.ask("two", 1s);
  t.net.advance(1s - 1ns);
  CHECK_FALSE(quick->over);
  t.net.advance(1ns);
  CHECK(quick->why.check(errc::timed_out));
  CHECK(quick->why.message().find("request, after 1 s, asked for at request_client_test.cpp:")
        == 0);
  CHECK(t.asked() == texts{"1 one", "2 two", "2 /cancel"});
  t.answer("2 zwei\r\n");
  CHECK(t.client->late_answers() == 1);
  t.net.advance(4s - 1ns);
  CHECK_FALSE(usual->over);
  t.net.advance(1ns);
  CHECK(usual->why.check(errc::timed_out));
  CHECK(t.client->pending() == 0);
}

TEST_CASE("a request that is cancelled is forgotten, and the server is told", "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  t.in_turn([&] { t.cancellers.back().cancel(); });
  CHECK(a->why.check(errc::cancelled));
  CHECK(t.asked() == texts{"1 one", "1 /cancel"});
  t.answer("1 eins\r\n");
  CHECK(t.client->late_answers() == 1);
}

TEST_CASE("requests wait for a connection, and are sent in their order", "[request_client]") {
  fixture<numbered> t{{}, false};
  const auto before = t.ask("one"); // before the start
  t.start();
  const auto a = t.ask("two");
  const auto b = t.ask("three");
  t.in_turn([&] { t.cancellers.back().cancel(); });
  CHECK(b->why.check(errc::cancelled));
  CHECK(t.client->pending() == 2);
  t.listen();
  t.net.advance(1s);
  CHECK(t.asked() == texts{"1 one", "2 two"});
  t.answer("1 eins\r\n2 zwei\r\n");
  CHECK(before->text == "eins");
  CHECK(a->text == "zwei");
}

TEST_CASE("a request that times out without a connection says why there is none",
          "[request_client]") {
  fixture<numbered> t{{.timeout = 5s}, false};
  t.start();
  const auto a = t.ask("one");
  t.net.advance(5s);
  CHECK(a->why.check(errc::timed_out));
  CHECK(a->why.message().find("request without a connection (the connection was refused)") == 0);
}

TEST_CASE("a client that does not wait fails with the reason of the attempt", "[request_client]") {
  fixture<numbered> t{{.wait_for_connection = false}, false};
  const auto a = t.ask("one");
  CHECK_FALSE(a->over);
  t.start();
  CHECK(a->why.check(errc::connection_refused));
  CHECK(t.ask("two")->why.check(errc::connection_refused));
  t.listen();
  t.net.advance(1s);
  CHECK_FALSE(t.ask("three")->over);
}

TEST_CASE("what is under way fails when the connection is lost, and the next one is used after it",
          "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  t.lose();
  CHECK(a->why.check(errc::connection_lost));
  CHECK_FALSE(t.client->connected());
  const auto b = t.ask("two");
  CHECK_FALSE(b->over);
  t.net.advance(1s);
  REQUIRE(t.servers.size() == 2);
  CHECK(t.asked() == texts{"2 two"}); // the first one is not sent again
  t.answer("1 eins\r\n2 zwei\r\n");
  CHECK(b->text == "zwei");
  CHECK(t.client->late_answers() == 1);
}

TEST_CASE("a request made where another one fails is sent on the next connection",
          "[request_client]") {
  fixture<numbered> t;
  t.start();
  std::string second;
  t.in_turn([&] {
    t.client->request("one").add_both([&](const outcome<std::string>& got) {
      CHECK_FALSE(got);
      t.client->request("again").add_callback([&](const std::string& text) { second = text; });
    });
  });
  t.lose();
  t.net.advance(1s);
  CHECK(t.asked() == texts{"2 again"});
  t.answer("2 noch einmal\r\n");
  CHECK(second == "noch einmal");
}

TEST_CASE("a malformed answer closes the connection and fails what is under way",
          "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  const auto b = t.ask("two");
  logged_errors errors{t.net.rt};
  t.answer("1 eins\r\nnonsense\r\n");
  CHECK(errors.flush("nonsense").size() == 1);
  CHECK(a->text == "eins");
  CHECK(b->why.check(errc::malformed_input));
  t.net.advance(1s);
  CHECK(t.servers.size() == 2);
}

TEST_CASE("an answer without an end is not kept for ever", "[request_client]") {
  fixture<numbered> t{{.max_message = 100}};
  t.start();
  const auto a = t.ask("one");
  t.answer("1 " + std::string(98, 'x'));
  CHECK_FALSE(a->over);
  t.answer("x");
  CHECK(a->why.check(errc::message_too_long));
}

TEST_CASE("a request that cannot be encoded fails alone", "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("bad");
  CHECK(a->why.check<std::invalid_argument>());
  const auto b = t.ask("two");
  t.answer("2 zwei\r\n");
  CHECK(b->text == "zwei");
}

TEST_CASE("answers without numbers come in the order of the requests", "[request_client]") {
  fixture<ordered> t;
  t.start();
  const auto a = t.ask("one");
  const auto bad = t.ask("bad");
  const auto b = t.ask("two", 1s);
  const auto c = t.ask("three");
  CHECK(bad->why.check<std::invalid_argument>());
  t.net.advance(1s);
  CHECK(b->why.check(errc::timed_out));
  t.answer("eins\r\nzwei\r\ndrei\r\n"); // the second one is nobody's
  CHECK(a->text == "eins");
  CHECK(c->text == "drei");
  CHECK(t.client->late_answers() == 1);
  const auto d = t.ask("four");
  t.lose();
  t.net.advance(1s);
  const auto e = t.ask("five");
  t.answer("fuenf\r\n");
  CHECK(d->why.check(errc::connection_lost));
  CHECK(e->text == "fuenf");
}

TEST_CASE("an answer that nobody asked for closes a connection without numbers",
          "[request_client]") {
  fixture<ordered> t;
  t.start();
  logged_errors errors{t.net.rt};
  t.answer("eins\r\n");
  CHECK(errors.flush("without a request").size() == 1);
  CHECK_FALSE(t.client->connected());
}

TEST_CASE("numbers begin again, and never meet one that waits", "[request_client]") {
  fixture<few_numbers> t;
  t.start();
  const auto a = t.ask("one");
  const auto b = t.ask("two");
  t.answer("1 eins\r\n");
  const auto c = t.ask("three");
  const auto d = t.ask("four");
  CHECK(t.asked() == texts{"1 one", "2 two", "3 three", "1 four"});
  CHECK(t.ask("five")->why.check(errc::queue_overflow)); // there is no number for it
  t.answer("1 vier\r\n2 zwei\r\n3 drei\r\n");
  CHECK(b->text == "zwei");
  CHECK(c->text == "drei");
  CHECK(d->text == "vier");
}

TEST_CASE("no more requests wait than may", "[request_client]") {
  fixture<numbered> t{{.max_pending = 2}, false};
  t.start();
  t.ask("one");
  t.ask("two");
  CHECK(t.ask("three")->why.check(errc::queue_overflow));
  t.in_turn([&] { t.cancellers.front().cancel(); });
  CHECK_FALSE(t.ask("four")->over);
}

TEST_CASE("a connection is prepared before requests are sent on it, each time",
          "[request_client]") {
  fixture<numbered> t{{.prepare = [](const auto& ask) {
    return ask("login").add_callback([](const std::string& text) {
      if (text != "welcome")
        throw std::runtime_error(text);
    });
  }}};
  t.start();
  const auto a = t.ask("one");
  CHECK_FALSE(t.client->connected());
  REQUIRE(t.asked().size() == 1);
  CHECK(t.asked().front() == "1 login");
  t.answer("1 go away\r\n");
  CHECK_FALSE(a->over);
  t.net.advance(1s);
  REQUIRE(t.servers.size() == 2);
  CHECK(t.asked() == texts{"3 login"});
  t.answer("3 welcome\r\n");
  CHECK(t.client->connected());
  CHECK(t.asked() == texts{"3 login", "2 one"});
  t.answer("2 eins\r\n");
  CHECK(a->text == "eins");
}

TEST_CASE("what the server says by itself is told", "[request_client]") {
  texts said;
  fixture<numbered> t{{.on_push = [&](std::string text) {
    said.push_back(std::move(text));
  }}};
  t.start();
  t.answer("0 good morning\r\n");
  CHECK(said == texts{"good morning"});
  CHECK(t.client->late_answers() == 0);
}

TEST_CASE("a connection from which nothing comes is made again", "[request_client]") {
  fixture<numbered> t{{.timeout = 10s, .max_silence = 20s}};
  t.start();
  t.ask("one");
  t.net.advance(10s);
  CHECK(t.client->connected());
  t.answer("0 still here\r\n");
  t.ask("two");
  t.net.advance(10s);
  CHECK(t.client->connected());
  t.ask("three", 20s);
  t.net.advance(20s - 1ns);
  CHECK(t.client->connected());
  t.net.advance(1ns);
  CHECK_FALSE(t.client->connected());
  t.net.advance(1s);
  CHECK(t.client->connected());
  CHECK(t.servers.size() == 2);
}

TEST_CASE("stopping fails all requests, and it may be started again", "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  bool stopped = false;
  t.in_turn([&] { t.client->stop_service().add_callback([&] { stopped = true; }); });
  CHECK(stopped);
  CHECK(a->why.check(errc::cancelled));
  CHECK(t.ask("two")->why.check(errc::not_connected));
  t.start();
  const auto b = t.ask("three");
  t.answer("2 drei\r\n");
  CHECK(b->text == "drei");
}

TEST_CASE("a client that ends fails all requests", "[request_client]") {
  fixture<numbered> t;
  t.start();
  const auto a = t.ask("one");
  t.in_turn([&] { t.client.reset(); });
  CHECK(a->why.check(errc::cancelled));
}
