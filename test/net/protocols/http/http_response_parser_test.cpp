#include <troupe/http/http_response_parser.hpp>

#include <string>
#include <vector>

#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using troupe::http_response_limits;
using troupe::http_response_parser;

namespace {

using events = std::vector<std::string>;

// Reads one response to `method`, cut as `split` says; `ends`: the connection ends behind it.
events read(const troupe::testing::split_input& split, std::string_view method, bool ends,
            const http_response_limits& limits) {
  events found{""};
  http_response_parser parser{limits};
  parser.begin(method);
  bool open = true;
  bool refused = false; // then nobody cares what is left
  std::size_t left = 0;
  split.feed([&](std::string_view in) {
    while (open) {
      switch (parser.next(in)) {
      case http_response_parser::event::more:
        return;
      case http_response_parser::event::informational:
        found.push_back("info " + std::to_string(parser.head().status()));
        found.emplace_back();
        break;
      case http_response_parser::event::head: {
        const auto& h = parser.head();
        std::string text = std::to_string(h.status()) + ' ' + std::string{h.phrase()};
        for (std::size_t i = 0; i < h.fields().size(); ++i)
          (((text += '|') += h.fields().name(i)) += '=') += h.fields().value(i);
        text += h.keep_alive() ? "|keep" : "|close";
        found.push_back(text);
        found.emplace_back();
        break;
      }
      case http_response_parser::event::body:
        found.back() += parser.body();
        break;
      case http_response_parser::event::end:
        found.push_back("end" + std::to_string(parser.trailers().size()));
        open = false;
        break;
      case http_response_parser::event::refused:
        found.push_back(std::string{"refused "} + parser.reason());
        open = false;
        refused = true;
        break;
      }
    }
    left += in.size();
  });
  if (open && ends)
    found.emplace_back(parser.finish() == http_response_parser::event::end
                         ? "end"
                         : std::string{"refused "} + parser.reason());
  if (left > 0 && !refused)
    found.push_back("left " + std::to_string(left));
  std::erase(found, "");
  return found;
}

events read(std::string_view input, std::string_view method = "GET", bool ends = false,
            const http_response_limits& limits = {}) {
  const auto run = [&](const troupe::testing::split_input& split) {
    return read(split, method, ends, limits);
  };
  CHECK(troupe::testing::split_difference(input, run) == "");
  return run(troupe::testing::split_input{input, {}});
}

} // namespace

TEST_CASE("responses are read, however they are cut") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX:  y \r\n\r\nhello")
        == events{"200 OK|Content-Length=5|X=y|keep", "hello", "end0"});
  CHECK(read("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")
        == events{"200 |Content-Length=0|keep", "end0"});
  CHECK(read("HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n")
        == events{"404 Not \xc3\xa4 Found|Content-Length=0|Connection=x, Close|close", "end0"});
  CHECK(read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na")
        == events{"200 OK|Connection=keep-alive|Content-Length=1|keep", "a", "end0"});
}

TEST_CASE("chunks are put together, and trailers kept") {
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n"
             "A\r\n, world!!!\r\n0\r\nX: y\r\n\r\n")
        == events{"200 OK|Transfer-Encoding=chunked|keep", "hello, world!!!", "end1"});
}

TEST_CASE("what is behind a response is left") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n")
        == events{"200 OK|Content-Length=1|keep", "a", "end0", "left 17"});
  CHECK(read("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nrest")
        == events{"101 Switching Protocols|Upgrade=x|Connection=upgrade|keep", "end0", "left 4"});
  CHECK(read("HTTP/1.1 200 OK\r\n\r\ntls", "CONNECT") == events{"200 OK|keep", "end0", "left 3"});
}

TEST_CASE("some responses have no body, whatever their head says") {
  CHECK(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD")
        == events{"200 OK|Content-Length=5|keep", "end0"});
  CHECK(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD")
        == events{"200 OK|Transfer-Encoding=chunked|keep", "end0"});
  CHECK(read("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
        == events{"304 Not Modified|Content-Length=5|keep", "end0"});
  CHECK(read("HTTP/1.1 204 No Content\r\n\r\n") == events{"204 No Content|keep", "end0"});
}

TEST_CASE("a tunnel that is refused has a body") {
  CHECK(read("HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "CONNECT")
        == events{"407 No|Transfer-Encoding=chunked|keep", "a", "end0"});
}

TEST_CASE("informational responses come before the final one") {
  CHECK(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        == events{"info 100", "info 103", "200 OK|Content-Length=0|keep", "end0"});
  std::string many;
  for (int i = 0; i < 20; ++i)
    many += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(read(many + "HTTP/1.1 204 No\r\n\r\n").back() == "end0");
  CHECK(read(many + "HTTP/1.1 100 Continue\r\n\r\n").back().starts_with("refused"));
}

TEST_CASE("a body may end with the connection, and only then") {
  const auto* const head = "HTTP/1.1 200 OK\r\n\r\nhello";
  CHECK(read(head, "GET", true) == events{"200 OK|close", "hello", "end"});
  CHECK(read(head) == events{"200 OK|close", "hello"});
  for (const auto* const cut :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"}) {
    CAPTURE(cut);
    CHECK(read(cut, "GET", true).back().starts_with("refused"));
  }
}

TEST_CASE("what could be read in two ways is refused") {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const auto& text : std::vector<std::string>{
         "HTTP/1.1 200 OK\n\r\n",
         "HTTP/2.0 200 OK\r\n\r\n",
         "HTTP/1.2 200 OK\r\n\r\n",
         "http/1.1 200 OK\r\n\r\n",
         "HTTP/1.1  200 OK\r\n\r\n",
         "HTTP/1.1 20 OK\r\n\r\n",
         "HTTP/1.1 2000 OK\r\n\r\n",
         "HTTP/1.1 099 OK\r\n\r\n",
         "HTTP/1.1 600 OK\r\n\r\n",
         "HTTP/1.1 2x0 OK\r\n\r\n",
         "HTTP/1.1 200 O\x01K\r\n\r\n",
         "hello\r\n\r\n",
         "\r\n\r\n",
         "ICY 200 OK\r\n\r\n",
         ok + "X y\r\n\r\n",
         ok + "X : y\r\n\r\n",
         ok + ": y\r\n\r\n",
         ok + " X: y\r\n\r\n",
         ok + "X: y\r\n z\r\n\r\n",
         ok + "X: a\rb\r\n\r\n",
         ok + "X: y\n\r\n",
         ok + std::string("X: a\0b\r\n\r\n", 10),
         ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
         ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
         ok + "Content-Length: 1, 1\r\n\r\na",
         ok + "Content-Length: +1\r\n\r\na",
         ok + "Content-Length: -1\r\n\r\na",
         ok + "Content-Length: 0x1\r\n\r\na",
         ok + "Content-Length:\r\n\r\na",
         ok + "Content-Length: 1 1\r\n\r\na",
         ok + "Content-Length: 99999999999999999999\r\n\r\na",
         ok + "Content-Length: 9223372036854775808\r\n\r\na",
         ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         ok + "Transfer-Encoding: gzip\r\n\r\n",
         ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
         ok + "Transfer-Encoding: identity\r\n\r\n",
         ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         ok + "Transfer-Encoding: xchunked\r\n\r\n",
         std::string{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}}) {
    CAPTURE(troupe::testing::show_bytes(text));
    const auto found = read(text);
    CHECK(found.size() == 1);
    CHECK(found.back().starts_with("refused "));
  }
}

TEST_CASE("what is no chunk is refused") {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto* const text :
       {"\r\n", "x\r\n", "0x1\r\na\r\n", "+1\r\na\r\n", "1 \r\na\r\n", "1\na\r\n", "1\r\nab\r\n",
        "1\r\na\n0\r\n\r\n", "10000000000000000\r\n", "8000000000000000\r\n", "1;\x01\r\na\r\n",
        "0\r\nContent-Length: 1\r\n\r\n", "0\r\nX y\r\n\r\n", "0\r\nX: y\n\r\n"}) {
    CAPTURE(troupe::testing::show_bytes(text));
    CHECK(read(head + text).back().starts_with("refused "));
  }
}

TEST_CASE("limits hold, to the byte") {
  const http_response_limits limits{
    .head = 60, .fields = 2, .chunk_line = 10, .chunk_extensions = 8, .trailers = 12};
  const std::string start = "HTTP/1.1 200 OK\r\nX: ";
  const auto head = [&](std::size_t size) {
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(read(head(60), "HEAD", false, limits).back() == "end0");
  CHECK(read(head(61), "HEAD", false, limits).back() == "refused the head is longer than allowed");
  CHECK(read("HTTP/1.1 200 OK\r\na:b\r\na:b\r\n\r\n", "HEAD", false, limits).back() == "end0");
  CHECK(read("HTTP/1.1 200 OK\r\na:b\r\na:b\r\na:b\r\n\r\n", "HEAD", false, limits).back()
        == "refused there are more fields than allowed");
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding:chunked\r\n\r\n";
  CHECK(read(chunked + "0;123456\r\n\r\n", "GET", false, limits).back() == "end0");
  CHECK(read(chunked + "0;1234567\r\n\r\n", "GET", false, limits).back()
        == "refused the line of a chunk is longer than allowed");
  CHECK(read(chunked + "1;123\r\na\r\n0;123\r\n\r\n", "GET", false, limits).back() == "end0");
  CHECK(read(chunked + "1;123\r\na\r\n0;1234\r\n\r\n", "GET", false, limits).back()
        == "refused the extensions of chunks are longer than allowed");
  CHECK(read(chunked + "0\r\nX: 123456\r\n\r\n", "GET", false, limits).back()
        == "refused the trailers are longer than allowed");
  CHECK(read(chunked + "0\r\nX: 12345\r\n\r\n", "GET", false, limits).back() == "end1");
}
