#include <troupe/http/http_router.hpp>

#include "http_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using testing::http_exchange;

namespace {

http_handler says(std::string text) {
  return [text](http_request r) {
    return http_response{200, text + " " + std::string{r.parameter("a")} + " "
                                + std::string{r.parameter("b")} + " " + std::string{r.rest()}};
  };
}

std::string ask(const http_router& site, const std::string& method, const std::string& path) {
  http_exchange t{site.handler()};
  t.deliver(method + " " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto& text = t.sent();
  const auto allow = text.find("Allow: ");
  return text.substr(9, 3) + " "
         + (allow != std::string::npos ? text.substr(allow + 7, text.find('\r', allow) - allow - 7)
                                       : text.substr(text.find("\r\n\r\n") + 4));
}

} // namespace

TEST_CASE("the most specific route answers, whatever the order in which they were added") {
  http_router site;
  site.mount("/", says("root"))
    .get("/{a}/{b}", says("two"))
    .get("/{a}/end", says("end"))
    .get("/x/{b}", says("x"))
    .get("/x/end", says("x end"))
    .mount("/x/deep", says("deep"))
    .get("/x/", says("slash"));
  CHECK(ask(site, "GET", "/1/2") == "200 two 1 2 /1/2");
  CHECK(ask(site, "GET", "/1/end") == "200 end 1  /1/end");
  CHECK(ask(site, "GET", "/x/2") == "200 x  2 /x/2");
  CHECK(ask(site, "GET", "/x/end") == "200 x end   /x/end");
  CHECK(ask(site, "GET", "/x/") == "200 slash   /x/");
  CHECK(ask(site, "GET", "/x") == "200 root   /x");
  CHECK(ask(site, "GET", "/x/deep/er/est?q") == "200 deep   /er/est");
  CHECK(ask(site, "GET", "/x/deep/") == "200 deep   /");
  CHECK(ask(site, "GET", "/1/2/3") == "200 root   /1/2/3");
}

TEST_CASE("segments are decoded after the path is split") {
  http_router site;
  site.get("/{a}", says("one"));
  CHECK(ask(site, "GET", "/a%2fb") == "200 one a/b  /a%2fb");
  CHECK(ask(site, "GET", "/%E4%20") == "200 one \xe4   /%E4%20");
  CHECK(ask(site, "GET", "/%2") == "400 The path cannot be decoded.\n");
  CHECK(ask(site, "GET", "/%zz") == "400 The path cannot be decoded.\n");
  CHECK(ask(site, "GET", "/a%00") == "400 The path cannot be decoded.\n");
  CHECK(ask(site, "GET", "/") == "404 Not Found\n");
  CHECK(ask(site, "GET", "http://a") == "404 Not Found\n");
}

TEST_CASE("methods that a path does not have are told, HEAD is GET's, and OPTIONS is answered") {
  http_router site;
  site.get("/x", says("get")).post("/x", says("post"));
  CHECK(ask(site, "PUT", "/x") == "405 OPTIONS, GET, HEAD, POST");
  CHECK(ask(site, "OPTIONS", "/x") == "204 OPTIONS, GET, HEAD, POST");
  CHECK(ask(site, "HEAD", "/x") == "200 ");
  CHECK(ask(site, "POST", "/x") == "200 post   /x");
  CHECK(ask(site, "PUT", "/y") == "404 Not Found\n");
}

TEST_CASE("a pattern that makes no sense, or is there already, is refused") {
  http_router site;
  site.get("/{a}", says("")).mount("/m", says(""));
  CHECK_THROWS_AS(site.get("x", says("")), std::invalid_argument);
  CHECK_THROWS_AS(site.get("/{b}", says("")), std::invalid_argument);
  CHECK_THROWS_AS(site.get("/{a}", says("")), std::invalid_argument);
  CHECK_THROWS_AS(site.route("a b", "/", says("")), std::invalid_argument);
  CHECK_THROWS_AS(site.get("/", nullptr), std::invalid_argument);
  CHECK_THROWS_AS(site.mount("/m/", says("")), std::invalid_argument);
  CHECK_THROWS_AS(site.mount("/{a}", says("")), std::invalid_argument);
}
