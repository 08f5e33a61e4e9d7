#include <troupe/websocket/websocket_handshake.hpp>

#include <stdexcept>

#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

std::string accept_for(const websocket_handshake& h) {
  const auto& text = h.to_send();
  const auto at = text.find("Sec-WebSocket-Key: ") + 19;
  return websocket_accept_key(text.substr(at, 24));
}

const std::string good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                         "Connection: upgrade\r\nSec-WebSocket-Accept: @\r\n";

// What an answer comes to, in which "@" stands for the right key.
std::string result_of(std::string answer, const std::vector<std::string>& offered = {}) {
  const auto once = [&](const split_input& input) {
    websocket_handshake h{websocket_url::parse("ws://a/"), {{}, offered}};
    const auto key = accept_for(h);
    std::string result = "more";
    std::size_t left = 0;
    input.feed([&](std::string_view piece) {
      std::string said{piece};
      // The key has as many bytes as stand for it, so that cuts fall within it, too.
      for (std::size_t i = 0; i < said.size(); ++i)
        if (static_cast<std::uint8_t>(said[i]) >= 0x80)
          said[i] = key.at(static_cast<std::size_t>(static_cast<std::uint8_t>(said[i]) - 0x80));
      auto in = as_bytes(said);
      if (result == "done") {
        left += in.size();
        return true;
      }
      switch (h.next(in)) {
      case websocket_handshake::event::more:
        return in.empty();
      case websocket_handshake::event::refused:
        result = h.reason();
        return false;
      case websocket_handshake::event::done:
        result = "done";
        left += in.size();
        return true;
      }
      return false;
    });
    if (result == "done")
      result += ' ' + h.subprotocol() + ' ' + std::to_string(left);
    return strings{result};
  };
  if (const auto at = answer.find('@'); at != std::string::npos) {
    std::string key;
    for (int i = 0; i < 28; ++i)
      key += static_cast<char>(0x80 + i);
    answer.replace(at, 1, key);
  }
  const split_options few{.all_ways = 4, .all_pairs = 10, .random = 20};
  CHECK(split_difference(answer, once, few) == "");
  return once(split_input{answer, {}}).front();
}

std::string url_of(const std::string& text) {
  const auto u = websocket_url::parse(text);
  return (u.tls ? "tls " : "") + u.host + ' ' + std::to_string(u.port) + ' ' + u.target + ' '
         + u.authority();
}

} // namespace

TEST_CASE("a URL says where a WebSocket is") {
  CHECK(url_of("ws://a.b") == "a.b 80 / a.b");
  CHECK(url_of("WS://a.b:80/c?d=e") == "a.b 80 /c?d=e a.b");
  CHECK(url_of("wss://a.b") == "tls a.b 443 / a.b");
  CHECK(url_of("wss://a.b:80?x") == "tls a.b 80 /?x a.b:80");
  CHECK(url_of("ws://[::1]:8765/") == "::1 8765 / [::1]:8765");
  CHECK(url_of("ws://[::1]") == "::1 80 / [::1]");
  for (const char* bad : {"", "a.b", "http://a.b", "ws:/a", "ws://", "ws:///x", "ws://a:0x",
                          "ws://a:65536", "ws://a:0", "ws://u:p@a/", "ws://a/#x", "ws://a/b c",
                          "ws://a/\r\nX: y", "ws://[::1", "ws://[::1]x"})

    CHECK_THROWS_AS(websocket_url::parse(bad), std::invalid_argument);
}

TEST_CASE("a request has what the RFC says, and what is added") {
  const websocket_handshake h{websocket_url::parse("ws://a:81/b?c"),
                              {{{"Cookie", "x=y"}}, {"one", "two"}}};
  const auto& text = h.to_send();
  CHECK(text.starts_with("GET /b?c HTTP/1.1\r\nHost: a:81\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Key: "));
  CHECK(text.ends_with("\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: one, two\r\n"
                       "Cookie: x=y\r\n\r\n"));
  CHECK(accept_for(h).size() == 28);
  const auto url = websocket_url::parse("ws://a");
  CHECK(websocket_handshake{url, {}}.to_send() != websocket_handshake{url, {}}.to_send());
  using request = websocket_request;
  CHECK_THROWS_AS((websocket_handshake{url, request{{{"host", "x"}}, {}}}), std::invalid_argument);
  CHECK_THROWS_AS((websocket_handshake{url, request{{{"a", "x\r\nb: c"}}, {}}}),
                  std::invalid_argument);
  CHECK_THROWS_AS((websocket_handshake{url, request{{{"a b", "x"}}, {}}}), std::invalid_argument);
  CHECK_THROWS_AS((websocket_handshake{url, request{{}, {"a", "a"}}}), std::invalid_argument);
  CHECK_THROWS_AS((websocket_handshake{url, request{{}, {"a, b"}}}), std::invalid_argument);
}

TEST_CASE("an answer is checked, however it is cut") {
  CHECK(result_of(good + "\r\n") == "done  0");
  CHECK(result_of(good + "\r\n\x01\x02") == "done  2");
  CHECK(result_of(good + "Sec-WebSocket-Protocol: b\r\n\r\n", {"a", "b"}) == "done b 0");
  CHECK(result_of(good + "Sec-WebSocket-Protocol: c\r\n\r\n", {"a", "b"})
        == "the server chose a subprotocol that was not offered");
  CHECK(result_of(good + "Sec-WebSocket-Protocol: B\r\n\r\n", {"a", "b"})
        == "the server chose a subprotocol that was not offered");
  CHECK(
    result_of(good + "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n\r\n", {"a", "b"})
    == "the answer has a field twice");
  CHECK(result_of(good + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        == "the server chose an extension that was not offered");
  CHECK(result_of(good + "Sec-WebSocket-Accept: @\r\n\r\n") == "the answer has a field twice");
  CHECK(result_of("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        == "the server's answer is not one to this key");
  CHECK(result_of("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        == "the server's answer is not one to this key");
  CHECK(result_of("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
                  "Sec-WebSocket-Accept: @\r\n\r\n")
        == "the server goes on with another protocol");
  CHECK(result_of("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: @\r\n\r\n")
        == "the server goes on with another protocol");
  CHECK(result_of("HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nWho?")
        == "the server answers 403 Forbidden");
  CHECK(result_of("HTTP/1.1 200\r\n\r\n") == "the server answers 200");
  CHECK(result_of("HTTP/1.0 101 x\r\n\r\n") == "this is no answer of HTTP/1.1");
  CHECK(result_of("SSH-2.0-OpenSSH_9\r\n") == "this is no answer of HTTP/1.1");
  CHECK(result_of("HTTP/1.1 1x1 y\r\n\r\n") == "the answer has no status");
  CHECK(result_of("HTTP/1.1 101 x\r\n folded\r\n\r\n") == "the head of the answer is malformed");
  CHECK(result_of("HTTP/1.1 101 x\r\nno colon\r\n\r\n") == "the head of the answer is malformed");
  CHECK(result_of("HTTP/1.1 101 x\r\nA: b") == "more");
}

TEST_CASE("the head of an answer has an end") {
  websocket_handshake h{websocket_url::parse("ws://a/"), {}};
  const auto text = "HTTP/1.1 101 x\r\nA: " + std::string(20000, 'x');
  auto in = as_bytes(text);
  CHECK(h.next(in) == websocket_handshake::event::refused);
  CHECK(h.reason() == "the head of the answer is too long");
}

TEST_CASE("the handshake offers to pack messages if it is told to, and reads the answer") {
  const auto agreed = [](const std::string& fields) {
    websocket_handshake h{websocket_url::parse("ws://a/"), {.deflate = true}};
    CHECK(h.to_send().find("\r\nSec-WebSocket-Extensions: permessage-deflate; "
                           "client_no_context_takeover; server_no_context_takeover; "
                           "client_max_window_bits\r\n")
          != std::string::npos);
    auto answer = good + fields + "\r\n";
    answer.replace(answer.find('@'), 1, accept_for(h));
    auto in = as_bytes(answer);
    if (h.next(in) == websocket_handshake::event::refused)
      return h.reason();
    return h.deflate_bits() ? std::to_string(*h.deflate_bits()) : "none";
  };
  const std::string field = "Sec-WebSocket-Extensions: ";
  CHECK(agreed("") == "none");
  CHECK(agreed(field + "permessage-deflate; server_no_context_takeover\r\n") == "15");
  CHECK(
    agreed(field + "permessage-deflate; server_no_context_takeover; client_max_window_bits=10\r\n")
    == "10");
  CHECK(agreed(field + "permessage-deflate\r\n")
        == "the server's extension is none that was offered");
  CHECK(agreed(field + "permessage-deflate; server_no_context_takeover\r\n" + field + "x\r\n")
        == "the server's extension is none that was offered");
  const websocket_handshake plain{websocket_url::parse("ws://a/"), {}};
  CHECK(plain.to_send().find("Extensions") == std::string::npos);
}
