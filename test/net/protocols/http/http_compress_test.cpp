#include <troupe/http/http_compress.hpp>

#include <stdexcept>

#include "http_brotli.hpp"
#include "http_exchange.hpp"
#include "http_gunzip.hpp"
#include "support/catch.hpp"

using namespace troupe;
using testing::http_exchange;

namespace {

const std::string text = [] {
  std::string all;
  while (all.size() < 5000)
    all += "line " + std::to_string(all.size()) + "\n";
  return all;
}();

// Asks a server of this handler, and returns what it sends.
std::string answer(http_handler handler, const std::string& accepts,
                   http_compress_options options = {}) {
  http_exchange t{compress_responses(std::move(handler), options)};
  t.deliver("GET / HTTP/1.1\r\nHost: a\r\n"
            + (accepts.empty() ? "" : "Accept-Encoding: " + accepts + "\r\n") + "\r\n");
  return t.sent();
}

bool has(const std::string& response, std::string_view field) {
  return response.substr(0, response.find("\r\n\r\n") + 2)
           .find("\r\n" + std::string{field} + "\r\n")
         != std::string::npos;
}

http_handler gives(http_response (*make)()) {
  return [make](http_request) {
    return make();
  };
}

} // namespace

TEST_CASE("a body is packed for who asks for it") {
  const auto sent = answer(gives([] {
                             return http_response{200, text}.set("ETag", "\"x\"");
                           }),
                           "deflate, gzip");
  CHECK(has(sent, "Content-Encoding: gzip"));
  CHECK(has(sent, "Vary: Accept-Encoding"));
  CHECK(has(sent, "ETag: W/\"x\""));
  const auto body = sent.substr(sent.find("\r\n\r\n") + 4);
  CHECK(body.size() < text.size() / 2);
  CHECK(has(sent, "Content-Length: " + std::to_string(body.size())));
  troupe::detail::http_gunzip gunzip;
  std::string out;
  for (std::string_view in = body; !in.empty();)
    REQUIRE(gunzip.step(in, out, 1000));
  for (std::string_view none; gunzip.full();)
    REQUIRE(gunzip.step(none, out, 1000));
  CHECK(gunzip.whole());
  CHECK(out == text);
}

TEST_CASE("who does not ask gets it as it is, and caches are told that others may not") {
  for (const auto* const accepts :
       {"", "identity", "compress", "gzip;q=0", "gzip; q=0.000", "*;q=0"}) {
    CAPTURE(accepts);
    const auto sent = answer(gives([] { return http_response{200, text}; }), accepts);
    CHECK_FALSE(has(sent, "Content-Encoding: gzip"));
    CHECK(has(sent, "Vary: Accept-Encoding"));
    CHECK(sent.ends_with(text));
  }
  for (const auto* const accepts :
       {"GZIP", "x-gzip", "br;q=0, *", "gzip;q=0.001", "gzip, br;q=0.999",
        "br;q=0.000, gzip;q=0.001", "gzip;q=1, *;q=0.5"}) {
    CAPTURE(accepts);
    CHECK(has(answer(gives([] {
                       return http_response{200, text};
                     }),
                     accepts),
              "Content-Encoding: gzip"));
  }
}

TEST_CASE("a body is packed with brotli for who likes it as much as gzip, or better") {
  for (const auto* const accepts : {"br", "BR", "gzip, br", "br;q=0.5, gzip;q=0.5",
                                    "gzip;q=0.9, br", "*", "br;q=0.001, *;q=0"}) {
    CAPTURE(accepts);
    const auto sent = answer(gives([] {
                               return http_response{200, text}.set("ETag", "\"x\"");
                             }),
                             accepts);
    if (!troupe::detail::has_brotli()) {
      CHECK_FALSE(has(sent, "Content-Encoding: br"));
      continue;
    }
    CHECK(has(sent, "Content-Encoding: br"));
    CHECK(has(sent, "Vary: Accept-Encoding"));
    CHECK(has(sent, "ETag: W/\"x\""));
    const auto body = sent.substr(sent.find("\r\n\r\n") + 4);
    CHECK(body.size() < text.size() / 2);
    const auto unpacker = troupe::detail::make_http_unpacker("br");
    std::string out;
    std::string_view in = body;
    REQUIRE(unpacker->step(in, out, 100'000));
    CHECK(unpacker->whole());
    CHECK(out == text);
  }
}

TEST_CASE("what would gain nothing, or must not be changed, is sent as it is") {
  for (auto* const make : std::initializer_list<http_response (*)()>{
         [] {
           return http_response{200, text, "image/png"};
         },
         [] {
           return http_response{200, text, "text/event-stream"};
         },
         [] {
           return http_response{200, text}.set("Content-Encoding", "br");
         },
         [] {
           return http_response{200, text}.set("Cache-Control", "no-transform, private");
         },
         [] {
           return http_response{206, text}.set("Content-Range", "bytes 0-4/5");
         },
         [] {
           return http_response{200, text.substr(0, 1023)};
         },
         [] {
           return http_response{200, std::string(256 * 1024 + 1, 'x')};
         }}) {
    const auto sent = answer(gives(make), "gzip");
    CHECK_FALSE(has(sent, "Content-Encoding: gzip"));
    CHECK_FALSE(has(sent, "Vary: Accept-Encoding"));
  }
  CHECK(has(answer(gives([] {
                     return http_response{200, std::string(1024, 'x')};
                   }),
                   "gzip"),
            "Content-Encoding: gzip"));
  CHECK(has(answer(gives([] { return http_response::json(std::string(256 * 1024, 'x')); }), "gzip"),
            "Content-Encoding: gzip"));
  CHECK_THROWS_AS(compress_responses(gives([] { return http_response{}; }), {.level = 10}),
                  std::invalid_argument);
  for (const int level : {-1, 12})
    CHECK_THROWS_AS(
      compress_responses(gives([] { return http_response{}; }), {.brotli_level = level}),
      std::invalid_argument);
}
