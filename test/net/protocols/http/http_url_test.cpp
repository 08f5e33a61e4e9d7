#include <troupe/http/http_url.hpp>

#include <stdexcept>

#include <troupe/net/host_name.hpp>

#include "support/catch.hpp"

using troupe::http_url;

TEST_CASE("a URL is read in its parts") {
  const auto u = http_url::parse("HTTPS://Example.ORG:8443/a/b?c=d#e");
  CHECK(u.secure());
  CHECK(u.host() == "example.org");
  CHECK(u.port() == 8443);
  CHECK(u.target() == "/a/b?c=d");
  CHECK(u.path() == "/a/b");
  CHECK(u.fragment() == "e");
  CHECK(u.authority() == "example.org:8443");
  CHECK(u.text() == "https://example.org:8443/a/b?c=d");
}

TEST_CASE("what a URL leaves out is there") {
  CHECK(http_url::parse("http://a").target() == "/");
  CHECK(http_url::parse("http://a?x").target() == "/?x");
  CHECK(http_url::parse("http://a#f").target() == "/");
  CHECK(http_url::parse("http://a:").port() == 80);
  CHECK(http_url::parse("http://a:80/").authority() == "a");
  CHECK(http_url::parse("https://a:80/").authority() == "a:80");
  const auto six = http_url::parse("http://[::1]:8080/");
  CHECK(six.host() == "::1");
  CHECK(six.authority() == "[::1]:8080");
}

TEST_CASE("what is no URL is refused") {
  for (const auto* const text : {"",
                                 "/",
                                 "a",
                                 "//a/",
                                 "ftp://a/",
                                 "http:/a",
                                 "http://",
                                 "http:///x",
                                 "http://:80/",
                                 "http://a:0/",
                                 "http://a:65536/",
                                 "http://a:8x/",
                                 "http://a b/",
                                 "http://a/ b",
                                 "http://a/\r\nX: y",
                                 "http://u:p@a/",
                                 "http://a\\b/",
                                 "http://[::1/",
                                 "http://[]/",
                                 "http://[::1]x/",
                                 "http://[fe80::1%25eth0]/",
                                 "http://\xff/",
                                 "http://a\xe2\x84\x80/", // U+2100, "a/c"
                                 "http://a\xef\xbc\xa0"
                                 "b/", // a wide @
                                 "http://b%C3%BCcher.example/",
                                 "http://a/\xc3\xa4",
                                 "http://a,b/",
                                 "javascript://a/"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(http_url::parse(text), std::invalid_argument);
  }
}

TEST_CASE("a host that is not ASCII is what DNS knows it by, and nothing else may be so") {
  if (!troupe::ascii_host_name("\u00fc"))
    return; // a build without libidn2
  const auto u = http_url::parse("https://B\u00fccher.example:8443/a");
  CHECK(u.host() == "xn--bcher-kva.example");
  CHECK(u.text() == "https://xn--bcher-kva.example:8443/a");
  CHECK(u.resolve("//k\u00fcche.example/b").text() == "https://xn--kche-0ra.example/b");
  CHECK_THROWS_AS(http_url::parse("http://a\u00fc/\u00fc"), std::invalid_argument);
  CHECK_THROWS_AS(http_url::parse("http://a/#\u00fc"), std::invalid_argument);
  CHECK_THROWS_AS(http_url::parse("http://a:8\u00fc/"), std::invalid_argument);
  CHECK_THROWS_AS(http_url::parse("h\u00fctp://a/"), std::invalid_argument);
}

TEST_CASE("references are resolved as RFC 3986, 5.4 shows") {
  const auto base = http_url::parse("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> table[] = {
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g/"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q"},
    {";x", "http://a/b/c/;x"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g?y/../x", "http://a/b/c/g?y/../x"},
    {"https://h/../x", "https://h/x"},
  };
  for (const auto& [reference, expected] : table) {
    CAPTURE(reference);
    CHECK(base.resolve(reference).text() == expected);
  }
  CHECK(http_url::parse("http://a/#old").resolve("x").fragment() == "old");
  CHECK(http_url::parse("http://a/#old").resolve("x#new").fragment() == "new");
  CHECK_THROWS_AS(base.resolve("mailto:a@b"), std::invalid_argument);
  CHECK_THROWS_AS(base.resolve("x y"), std::invalid_argument);
}
