#include <troupe/http_cookies/http_cookie_jar.hpp>

#include <troupe/testing/split_feed.hpp>

#include "set_cookie.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using troupe::detail::parse_cookie_date;

namespace {

constexpr std::time_t begin_of_time = 1'700'000'000; // 2023-11-14 22:13:20

struct jar_fixture {
  explicit jar_fixture(http_cookie_jar_options o = {}) : jar(with_clock(std::move(o))) {}
  http_cookie_jar_options with_clock(http_cookie_jar_options o) {
    o.wall_clock = [this] {
      return now;
    };
    return o;
  }
  void set(const std::string& url, const std::string& field) {
    jar.set_cookie(http_url::parse(url), field);
  }
  std::string sent(const std::string& url) { return jar.cookies_for(http_url::parse(url)); }

  std::time_t now = begin_of_time;
  http_cookie_jar jar;
};

} // namespace

// -- domains ----------------------------------------------------------------------------------------

TEST_CASE("a cookie goes to its host alone, unless it is for a domain") {
  jar_fixture t;
  t.set("http://www.example.org/", "a=1");
  t.set("http://www.example.org/", "b=2; Domain=example.org");
  t.set("http://www.example.org/", "c=3; domain=.WWW.Example.ORG");
  CHECK(t.sent("http://www.example.org/") == "a=1; b=2; c=3");
  CHECK(t.sent("http://example.org/") == "b=2");
  CHECK(t.sent("http://other.example.org/") == "b=2");
  CHECK(t.sent("http://x.www.example.org/") == "b=2; c=3");
  CHECK(t.sent("http://notexample.org/").empty());
  CHECK(t.sent("http://org/").empty());
  CHECK(t.sent("https://www.example.org:8443/") == "a=1; b=2; c=3"); // ports do not count
}

TEST_CASE("no cookie is for a domain that its host is not in") {
  jar_fixture t;
  for (const auto* domain :
       {"example.com", "www.example.org", "xample.org", "example.org.evil", "rg", "org."}) {
    CAPTURE(domain);
    t.set("http://example.org/", std::string{"a=1; Domain="} + domain);
    CHECK(t.jar.size() == 0);
  }
}

TEST_CASE("no cookie is for a domain under which everybody can have a name") {
  jar_fixture t;
  t.set("http://example.co.uk/", "a=1; Domain=co.uk");
  t.set("http://example.com/", "a=1; Domain=com");
  t.set("http://me.github.io/", "a=1; Domain=github.io");
  t.set("http://a.b.ck/", "a=1; Domain=b.ck"); // *.ck
  t.set("http://a.unheard-of/", "a=1; Domain=unheard-of");
  CHECK(t.jar.size() == 0);
  t.set("http://a.www.ck/", "a=1; Domain=www.ck"); // !www.ck
  CHECK(t.sent("http://b.www.ck/") == "a=1");
  // The suffix itself may set one, for itself.
  t.set("http://github.io/", "b=2; Domain=github.io");
  CHECK(t.sent("http://github.io/") == "b=2");
  CHECK(t.sent("http://me.github.io/").empty());
  t.set("http://localhost/", "c=3; Domain=localhost");
  CHECK(t.sent("http://localhost/") == "c=3");
}

TEST_CASE("an address in numbers is a host and no domain") {
  jar_fixture t;
  t.set("http://127.0.0.1/", "a=1");
  t.set("http://127.0.0.1/", "b=2; Domain=127.0.0.1");
  t.set("http://127.0.0.1/", "c=3; Domain=0.0.1");
  t.set("http://[::1]/", "d=4");
  CHECK(t.sent("http://127.0.0.1/") == "a=1; b=2");
  CHECK(t.sent("http://1.127.0.0.1/").empty());
  CHECK(t.sent("http://[::1]/") == "d=4");
}

// -- paths ------------------------------------------------------------------------------------------

TEST_CASE("a cookie goes to what lies below its path, the longest first") {
  jar_fixture t;
  t.set("http://a.example/", "root=1");
  t.set("http://a.example/docs/web/x", "here=2");
  t.set("http://a.example/", "docs=3; Path=/docs");
  t.set("http://a.example/", "slash=4; Path=/docs/");
  t.set("http://a.example/any/where", "bad=5; Path=docs"); // the folder of the URL
  CHECK(t.sent("http://a.example/docs/web/y?q=/") == "here=2; slash=4; docs=3; root=1");
  CHECK(t.sent("http://a.example/docs") == "docs=3; root=1");
  CHECK(t.sent("http://a.example/docsx") == "root=1");
  CHECK(t.sent("http://a.example/docs/") == "slash=4; docs=3; root=1");
  CHECK(t.sent("http://a.example/any") == "bad=5; root=1");
}

// -- secure -----------------------------------------------------------------------------------------

TEST_CASE("a secure cookie is set and sent over https only, and http does not hide it") {
  jar_fixture t;
  t.set("http://a.example/", "a=1; Secure");
  CHECK(t.jar.size() == 0);
  t.set("https://a.example/", "a=1; Secure; Path=/x");
  CHECK(t.sent("http://a.example/x").empty());
  CHECK(t.sent("https://a.example/x") == "a=1");
  t.set("http://a.example/", "a=evil; Path=/x");
  t.set("http://a.example/", "a=evil; Path=/x/y");
  t.set("http://sub.a.example/", "a=evil; Path=/x; Domain=a.example");
  CHECK(t.jar.size() == 1);
  t.set("http://a.example/", "a=other; Path=/"); // which does not stand in front of it
  CHECK(t.sent("https://a.example/x") == "a=1; a=other");
}

TEST_CASE("the prefixes of names are promises that are held") {
  jar_fixture t;
  for (const auto* bad :
       {"__Secure-a=1", "__secure-a=1", "__Host-a=1; Secure", "__Host-a=1; Path=/",
        "__Host-a=1; Secure; Path=/; Domain=www.a.example", "__HOST-a=1; Secure; Path=/x"}) {
    CAPTURE(bad);
    t.set("https://www.a.example/", bad);
    CHECK(t.jar.size() == 0);
  }
  t.set("http://www.a.example/", "__Secure-a=1; Secure");
  CHECK(t.jar.size() == 0);
  t.set("https://www.a.example/", "__Secure-a=1; Secure; Domain=a.example");
  t.set("https://www.a.example/x", "__Host-b=2; Secure; Path=/");
  CHECK(t.jar.size() == 2);
}

// -- time -------------------------------------------------------------------------------------------

TEST_CASE("a cookie ends when it is said, Max-Age before Expires") {
  jar_fixture t;
  t.set("http://a.example/", "a=1; Max-Age=10; Expires=Tue, 14 Nov 2023 22:13:21 GMT");
  t.set("http://a.example/", "b=2; Expires=Tue, 14 Nov 2023 22:13:25 GMT");
  t.set("http://a.example/", "c=3");
  t.set("http://a.example/", "d=4; Max-Age=nonsense; Expires=nonsense");
  t.now += 4;
  CHECK(t.sent("http://a.example/") == "a=1; b=2; c=3; d=4");
  t.now += 1;
  CHECK(t.sent("http://a.example/") == "a=1; c=3; d=4");
  t.now += 4;
  CHECK(t.sent("http://a.example/") == "a=1; c=3; d=4");
  t.now += 1;
  CHECK(t.sent("http://a.example/") == "c=3; d=4");
  CHECK(t.jar.all().size() == 2);
  t.jar.end_session();
  CHECK(t.jar.size() == 2); // those that have expired are still in there
  CHECK(t.sent("http://a.example/").empty());
}

TEST_CASE("a server deletes a cookie by its end") {
  for (const auto* end : {"Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"}) {
    jar_fixture t;
    t.set("http://a.example/", "a=1");
    t.set("http://a.example/", std::string{"a=; "} + end);
    CHECK(t.jar.size() == 0);
    CHECK(t.sent("http://a.example/").empty());
  }
}

TEST_CASE("no cookie is kept for longer than may be") {
  jar_fixture t{{.max_age = 100s}};
  t.set("http://a.example/", "a=1; Max-Age=99999999999999999999999");
  t.set("http://a.example/", "b=2; Expires=Fri, 31 Dec 9999 23:59:59 GMT");
  t.now += 99;
  CHECK(t.sent("http://a.example/") == "a=1; b=2");
  t.now += 1;
  CHECK(t.sent("http://a.example/").empty());
}

TEST_CASE("a date is read in the forms that servers send") {
  for (const auto* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "06 nov 1994 8:49:37", "1994 08:49:37 06 November",
        "Sun, 06-Nov-1994 08:49:37 GMT", "6 Nov 94 08:49:37x"})
    CHECK(parse_cookie_date(text) == 784'111'777);
  CHECK(parse_cookie_date("1 Jan 70 0:0:0") == 0);
  CHECK(parse_cookie_date("1 Jan 69 0:0:0") == 3'124'224'000);
  for (const auto* text : {"", "06 Nov 1994", "Nov 1994 08:49:37", "06 1994 08:49:37",
                           "06 Nov 08:49:37", "06 Nov 1994 24:00:00", "06 Nov 1994 00:60:00",
                           "06 Nov 1994 00:00:60", "31 Nov 1994 00:00:00", "0 Nov 1994 00:00:00",
                           "32 Jan 1994 00:00:00", "06 Nov 1600 00:00:00", "06 Nov 19945 00:00:00",
                           "06 Nov 1994 00:00", "29 Feb 2023 00:00:00"})
    CHECK_FALSE(parse_cookie_date(text));
  CHECK(parse_cookie_date("29 Feb 2024 00:00:00"));
}

// -- what is said -----------------------------------------------------------------------------------

TEST_CASE("a cookie is read as browsers do, and what is none is not taken") {
  jar_fixture t;
  t.set("http://a.example/", " a = 1 ;x;;Secure=;=;path");
  CHECK(t.jar.size() == 0); // "Secure=" says it too
  t.set("http://a.example/", " a = 1 ;x;;=;path");
  t.set("http://a.example/", "b=\"x y\"; HttpOnly; SameSite=Strict");
  t.set("http://a.example/", "c==;");
  t.set("http://a.example/", "d=");
  CHECK(t.sent("http://a.example/") == "a=1; b=\"x y\"; c==; d=");
  CHECK(t.jar.all()[1].http_only);
  for (const std::string bad :
       {"", "a", "=1", ";a=1", " =1", "a\x01=1", "a=1\x7f", "a=1; path=\x02"})
    t.set("http://b.example/", bad);
  CHECK(t.sent("http://b.example/").empty());
}

TEST_CASE("a cookie takes the place of the one before it, and keeps its turn") {
  jar_fixture t;
  t.set("http://a.example/", "a=1");
  t.set("http://a.example/", "b=2");
  t.set("http://a.example/", "a=3");
  CHECK(t.sent("http://a.example/") == "a=3; b=2");
  t.set("http://a.example/", "a=4; Domain=a.example"); // another one
  CHECK(t.sent("http://a.example/") == "a=3; b=2; a=4");
}

// -- limits -----------------------------------------------------------------------------------------

TEST_CASE("a name and its value have so many bytes, and an attribute 1024") {
  jar_fixture t{{.max_size = 10}};
  t.set("http://a.example/", "a=123456789");
  CHECK(t.jar.size() == 1);
  t.set("http://a.example/", "b=1234567890");
  CHECK(t.jar.size() == 1);
  t.set("http://a.example/", "c=1; Path=/" + std::string(1023, 'x'));
  CHECK(t.sent("http://a.example/") == "a=123456789");
  t.set("http://a.example/", "d=1; Path=/" + std::string(1024, 'x')); // is not there
  CHECK(t.sent("http://a.example/") == "a=123456789; d=1");
}

TEST_CASE("of too many cookies of a domain, the one used longest ago goes, and secure ones last") {
  jar_fixture t{{.max_per_domain = 3}};
  t.set("https://a.example/", "s=0; Secure");
  t.set("https://a.example/", "a=1; Path=/a");
  t.set("https://a.example/", "b=2; Path=/b");
  t.sent("http://a.example/a");
  t.set("https://a.example/", "c=3");
  CHECK(t.jar.size() == 3);
  CHECK(t.sent("https://a.example/b") == "s=0; c=3");
  CHECK(t.sent("https://a.example/a") == "a=1; s=0; c=3");
  t.set("https://b.example/", "d=4"); // another domain
  CHECK(t.jar.size() == 4);
}

TEST_CASE("of too many cookies, those that have ended go, then the one used longest ago") {
  jar_fixture t{{.max_cookies = 3}};
  t.set("http://a.example/", "a=1; Max-Age=5");
  t.set("http://b.example/", "b=2");
  t.set("http://c.example/", "c=3");
  t.sent("http://b.example/");
  t.now += 5;
  t.set("http://d.example/", "d=4");
  CHECK(t.jar.size() == 3);
  CHECK(t.sent("http://c.example/") == "c=3");
  CHECK(t.sent("http://d.example/") == "d=4");
  t.set("http://e.example/", "e=5");
  CHECK(t.jar.size() == 3);
  CHECK(t.sent("http://b.example/").empty());
}

TEST_CASE("all that is in a jar can be put into another one") {
  jar_fixture t, other;
  t.set("http://www.a.example/", "a=1; Domain=a.example; Max-Age=100");
  t.set("https://b.example/x/y", "b=2; Secure; HttpOnly");
  for (const auto& c : t.jar.all())
    other.jar.add(c);
  CHECK(other.jar.all() == t.jar.all());
  CHECK(other.sent("http://a.example/") == "a=1");
  CHECK(other.sent("https://b.example/x/z") == "b=2");
  auto gone = t.jar.all()[0];
  gone.expires = t.now;
  other.jar.add(gone);
  CHECK(other.jar.size() == 1);
  other.jar.clear();
  CHECK(other.jar.size() == 0);
}

TEST_CASE("a jar without room for a cookie is refused, and told why") {
  CHECK_THROWS_AS(http_cookie_jar({.max_per_domain = 0}), std::invalid_argument);
  CHECK_THROWS_AS(http_cookie_jar({.max_cookies = 0}), std::invalid_argument);
  CHECK_NOTHROW(http_cookie_jar({.max_per_domain = 1, .max_cookies = 1}));
}
