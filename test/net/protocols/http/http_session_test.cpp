#include <troupe/http/http_session.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/http/http_status.hpp>

#include "http_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::http_exchange;

namespace {

// A site on which the path says what is done, and whose clock moves when told.
struct visited {
  explicit visited(http_session_options options = {}) : sessions(keeping(std::move(options))) {}

  http_session_options keeping(http_session_options options) {
    options.ended = [this](const http_session_values& values) {
      std::string all;
      for (const auto& [name, value] : values)
        all += name + '=' + value + ';';
      ended.push_back(all);
    };
    return options;
  }

  static http_reply act(const http_request& r, const http_session& s) {
    const auto path = r.path();
    if (path == "/count") {
      const auto n = std::stoi(s.find("n").value_or("0")) + 1;
      s.set("n", std::to_string(n));
      return http_response{200, std::to_string(n)};
    }
    if (path == "/login") {
      s.renew();
      s.set("user", "ann");
    } else if (path == "/logout") {
      s.end();
    } else if (path == "/fail") {
      s.set("n", "1");
      throw http_error{400, "no"};
    } else if (path == "/later") {
      s.set("n", "1");
      return succeed(http_response{200, "later"}.set("Cache-Control", "private"));
    }
    return http_response{200, s.exists() ? s.find("user").value_or("somebody") : "nobody"};
  }

  // Asks with this cookie; the answer's is in `cookie`, with what is behind it in `how`.
  std::string ask(const std::string& path, const std::string& with = {}) {
    http_server_options patient;
    patient.keep_alive_timeout = duration::zero();
    http_exchange t{
      sessions.handler([](const http_request& r, const http_session& s) { return act(r, s); }),
      patient};
    t.rt.advance(passed); // each has a clock of its own, that begins at zero
    t.deliver("GET " + path + " HTTP/1.1\r\nHost: a\r\n"
              + (with.empty() ? "" : "Cookie: x=y; " + with + "\r\n") + "\r\n");
    const auto text = t.sent();
    cookie.clear();
    how.clear();
    if (const auto at = text.find("Set-Cookie: "); at != std::string::npos) {
      const auto end = text.find(';', at);
      cookie = text.substr(at + 12, end - at - 12);
      how = text.substr(end, text.find("\r\n", at) - end);
    }
    not_kept = text.find("Cache-Control: no-store\r\n") != std::string::npos;
    return text.substr(text.find("\r\n\r\n") + 4);
  }

  std::vector<std::string> ended;
  duration passed{};
  http_sessions sessions;
  std::string cookie;
  std::string how;
  bool not_kept = false;
};

} // namespace

TEST_CASE("a session is made when something is set, and found by its cookie") {
  visited t;
  CHECK(t.ask("/") == "nobody");
  CHECK(t.cookie.empty());
  CHECK_FALSE(t.not_kept);
  CHECK(t.sessions.size() == 0);
  CHECK(t.ask("/count") == "1");
  const auto first = t.cookie;
  CHECK(first.size() == std::string{"session="}.size() + 64);
  CHECK(t.how == "; Path=/; HttpOnly; SameSite=Lax");
  CHECK(t.not_kept);
  CHECK(t.ask("/count", first) == "2");
  CHECK(t.cookie.empty()); // it has it
  CHECK(t.ask("/count") == "1");
  CHECK(t.cookie != first);
  CHECK(t.sessions.size() == 2);
  CHECK(t.ask("/later") == "later");
  CHECK_FALSE(t.cookie.empty());
  CHECK_FALSE(t.not_kept); // it says itself who may keep it
  CHECK(t.ask("/fail").starts_with("no"));
  CHECK(t.cookie.empty());
}

TEST_CASE("an id that nobody was given is never taken") {
  visited t;
  const auto chosen = "session=" + std::string(64, 'a');
  CHECK(t.ask("/", chosen) == "nobody");
  CHECK(t.ask("/count", chosen) == "1");
  CHECK_FALSE(t.cookie.empty());
  CHECK(t.cookie != chosen);
  CHECK(t.ask("/", "session=") == "nobody");
}

TEST_CASE("a login gives another id, and the old one is worth nothing") {
  visited t;
  t.ask("/count");
  const auto before = t.cookie;
  t.ask("/login", before);
  const auto after = t.cookie;
  CHECK_FALSE(after.empty());
  CHECK(after != before);
  CHECK(t.ask("/", after) == "ann");
  CHECK(t.ask("/count", after) == "2"); // what it held stays
  CHECK(t.ask("/", before) == "nobody");
  CHECK(t.sessions.size() == 1);
  CHECK(t.ended.empty());
  t.ask("/login"); // also without a session before
  CHECK(t.ask("/", t.cookie) == "ann");
}

TEST_CASE("a logout ends the session, and deletes the cookie") {
  visited t;
  t.ask("/login");
  const auto mine = t.cookie;
  CHECK(t.ask("/logout", mine) == "nobody");
  CHECK(t.cookie == "session=");
  CHECK(t.how.find("; Max-Age=0;") != std::string::npos);
  CHECK(t.ask("/", mine) == "nobody");
  CHECK(t.sessions.size() == 0);
  CHECK(t.ended == std::vector<std::string>{"user=ann;"});
  t.ask("/logout", mine);
  CHECK(t.ended.size() == 1);
  CHECK(t.cookie.empty());
}

TEST_CASE("a session ends when nobody has asked for it for a while, and not before") {
  http_session_options options;
  options.idle_timeout = 60s;
  visited t{options};
  t.ask("/login");
  const auto mine = t.cookie;
  t.passed = 59s;
  CHECK(t.ask("/", mine) == "ann");
  t.passed = 118s;
  CHECK(t.ask("/", mine) == "ann");
  t.passed = 178s;
  CHECK(t.ask("/", mine) == "nobody");
  CHECK(t.ended == std::vector<std::string>{"user=ann;"});
}

TEST_CASE("there are never more sessions than allowed; the one that was used longest ago ends") {
  http_session_options options;
  options.max_sessions = 3;
  visited t{options};
  std::vector<std::string> cookies;
  for (int i = 0; i < 3; ++i) {
    t.ask("/count");
    cookies.push_back(t.cookie);
  }
  CHECK(t.ask("/count", cookies[0]) == "2");
  t.ask("/count");
  CHECK(t.sessions.size() == 3);
  CHECK(t.ask("/", cookies[1]) == "nobody");
  CHECK(t.ask("/", cookies[0]) == "somebody");
  CHECK(t.ask("/", cookies[2]) == "somebody");
  CHECK(t.ended == std::vector<std::string>{"n=1;"});
}

TEST_CASE("a session holds no more than allowed") {
  http_session_options options;
  options.max_size = 10;
  const http_sessions sessions{options};
  const auto handler = sessions.handler([](const http_request&, const http_session& s) {
    s.set("abc", "1234567");
    CHECK_THROWS_AS(s.set("d", ""), std::length_error);
    CHECK_THROWS_AS(s.set("abc", "12345678"), std::length_error);
    s.set("abc", "7654321"); // in the place of the other
    CHECK(s.find("abc") == "7654321");
    s.erase("abc");
    CHECK_FALSE(s.find("abc"));
    s.set("d", "123456789");
    CHECK(s.exists());
    return http_response{200, "fine"};
  });
  http_exchange t{handler};
  t.deliver("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(t.sent().ends_with("fine"));
}

TEST_CASE("behind a proxy that speaks TLS the cookie is for TLS alone, and has a name of its own") {
  http_session_options options;
  options.secure = true;
  options.same_site = http_cookie::site::strict;
  visited t{options};
  t.ask("/count");
  CHECK(t.cookie.starts_with("__Host-session="));
  CHECK(t.how == "; Path=/; Secure; HttpOnly; SameSite=Strict");
  CHECK(t.ask("/count", t.cookie.substr(7)) == "1"); // as if it were for clear connections
}

TEST_CASE("an id may be signed, and only signed ones are looked up") {
  http_session_options options;
  options.keys = {std::string(16, 'k')};
  visited t{options};
  t.ask("/count");
  const auto mine = t.cookie;
  CHECK(mine.find('.') != std::string::npos);
  CHECK(t.ask("/count", mine) == "2");
  CHECK(t.ask("/count", mine.substr(0, mine.find('.'))) == "1");
  CHECK(t.ask("/count", mine + "x") == "1");
  options.keys = {"short"};
  CHECK_THROWS_AS(http_sessions{options}, std::invalid_argument);
  http_session_options wrong_name;
  wrong_name.cookie = "a b";
  CHECK_THROWS_AS(http_sessions{wrong_name}, std::invalid_argument);
  http_session_options clear;
  clear.same_site = http_cookie::site::none;
  CHECK_THROWS_AS(http_sessions{clear}, std::invalid_argument);
}
