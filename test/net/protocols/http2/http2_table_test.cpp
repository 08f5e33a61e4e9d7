// Frames that a server has to refuse, and how: what h2spec asks of one, written down again.

#include <troupe/http2/http2_server.hpp>

#include "http2_exchange.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace testing::frames;
using testing::http2_wire;

namespace {

struct row {
  const char* about;
  std::string frames; // behind the preface and the settings
  std::string error;  // the first one; nothing if there is none
};

http_handler reads() {
  return [](http_request r) -> http_reply {
    return r.read_all().add_callback([](std::string body) {
      return http_response{200, std::to_string(body.size())};
    });
  };
}

// Fields of a head that is right, behind which others are.
std::string with(std::string_view more) {
  return headers(1, head() + std::string{more});
}

std::string pseudo(std::initializer_list<std::pair<std::string_view, std::string_view>> all) {
  std::string block;
  for (const auto& [name, value] : all)
    block += literal(name, value);
  return headers(1, block);
}

const std::string open_post = headers(1, head("POST"), false);
const auto data = [](std::uint32_t stream, std::string_view text, bool end) {
  return frame(NGHTTP2_DATA, end ? 1 : 0, stream, text);
};

const std::vector<row>& table() {
  static const std::string goaway = "GOAWAY ";
  static const std::vector<row> rows{
    // RFC 9113, 4.1 and 4.2: frames
    {"a type that nobody knows is ignored", frame(0xbe, 0xff, 0, "12345678") + with(""), ""},
    {"a frame that is larger than allowed", frame(NGHTTP2_DATA, 0, 1, std::string(16'385, 'x')),
     "GOAWAY FRAME_SIZE_ERROR"},
    {"a reserved bit is ignored", headers(1 | 0x8000'0000, head()), ""},
    // 4.3: header compression
    {"an index that HPACK does not have", headers(1, "\xff\xff\x03"), "GOAWAY COMPRESSION_ERROR"},
    {"a table larger than its limit", headers(1, "\x3f\xe1\xff\x03" + head()),
     "GOAWAY COMPRESSION_ERROR"},
    {"Huffman's code without end", headers(1, std::string("\x00\x82\xff\xff\x01x", 6)),
     "GOAWAY COMPRESSION_ERROR"},
    // 5.1: streams
    {"data of a stream that is idle", data(1, "x", true), "GOAWAY PROTOCOL_ERROR"},
    {"a reset of a stream that is idle", frame(NGHTTP2_RST_STREAM, 0, 1, number(8, 4)),
     "GOAWAY PROTOCOL_ERROR"},
    {"a window update of a stream that is idle", frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(1, 4)),
     "GOAWAY PROTOCOL_ERROR"},
    {"a continuation of nothing", frame(NGHTTP2_CONTINUATION, 4, 1, head()),
     "GOAWAY PROTOCOL_ERROR"},
    {"data behind the end", open_post + data(1, "x", true) + data(1, "y", true), "*STREAM_CLOSED"},
    {"a head behind the end",
     headers(1, head("POST"), false) + data(1, "x", true) + headers(1, head()), "*STREAM_CLOSED"},
    {"an even stream", headers(2, head()), "GOAWAY PROTOCOL_ERROR"},
    {"a stream below the last one, which may have been closed, is ignored",
     headers(5, head()) + headers(3, head()), ""},
    {"a stream of number 0", headers(0, head()), "GOAWAY PROTOCOL_ERROR"},
    {"another frame inside a head",
     headers(1, head(), true, false) + frame(NGHTTP2_PING, 0, 0, "12345678"),
     "GOAWAY PROTOCOL_ERROR"},
    {"a head of another stream inside a head", headers(1, head(), true, false) + headers(3, head()),
     "GOAWAY PROTOCOL_ERROR"},
    {"a continuation of another stream",
     headers(1, head(), true, false) + frame(NGHTTP2_CONTINUATION, 4, 3, ""),
     "GOAWAY PROTOCOL_ERROR"},
    // 6.1 and 6.2: DATA, HEADERS
    {"data of stream 0", data(0, "x", true), "GOAWAY PROTOCOL_ERROR"},
    {"padding larger than the frame of data",
     open_post + frame(NGHTTP2_DATA, 8 | 1, 1, std::string("\x05x", 2)), "GOAWAY PROTOCOL_ERROR"},
    {"padding larger than the frame of a head",
     frame(NGHTTP2_HEADERS, 8 | 4 | 1, 1, std::string("\xff", 1) + head()),
     "GOAWAY PROTOCOL_ERROR"},
    {"data with padding", open_post + frame(NGHTTP2_DATA, 8 | 1, 1, std::string("\x02xyz\0\0", 6)),
     ""},
    // 6.4 to 6.9: RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE
    {"a reset of stream 0", frame(NGHTTP2_RST_STREAM, 0, 0, number(8, 4)), "GOAWAY PROTOCOL_ERROR"},
    {"a reset of another length", open_post + frame(NGHTTP2_RST_STREAM, 0, 1, "123"),
     "GOAWAY FRAME_SIZE_ERROR"},
    {"settings of a stream", frame(NGHTTP2_SETTINGS, 0, 1), "GOAWAY PROTOCOL_ERROR"},
    {"settings of another length", settings("12345"), "GOAWAY FRAME_SIZE_ERROR"},
    {"an answer to settings with a payload", frame(NGHTTP2_SETTINGS, 1, 0, "123456"),
     "GOAWAY FRAME_SIZE_ERROR"},
    {"a setting whether to push that is neither", settings(number(2, 2) + number(2, 4)),
     "GOAWAY PROTOCOL_ERROR"},
    {"a window above 2^31 - 1", settings(number(4, 2) + number(0x8000'0000, 4)),
     "GOAWAY FLOW_CONTROL_ERROR"},
    {"frames below 2^14", settings(number(5, 2) + number(16'383, 4)), "GOAWAY PROTOCOL_ERROR"},
    {"frames above 2^24 - 1", settings(number(5, 2) + number(16'777'216, 4)),
     "GOAWAY PROTOCOL_ERROR"},
    {"a setting that nobody knows is ignored", settings(number(0xbe, 2) + number(1, 4)) + with(""),
     ""},
    {"a promise by a client", open_post + frame(NGHTTP2_PUSH_PROMISE, 4, 1, number(2, 4) + head()),
     "GOAWAY PROTOCOL_ERROR"},
    {"a ping of a stream", frame(NGHTTP2_PING, 0, 1, "12345678"), "GOAWAY PROTOCOL_ERROR"},
    {"a ping of another length", frame(NGHTTP2_PING, 0, 0, "1234567"), "GOAWAY FRAME_SIZE_ERROR"},
    {"a goodbye of a stream", frame(NGHTTP2_GOAWAY, 0, 1, number(0, 8)), "GOAWAY PROTOCOL_ERROR"},
    {"a window update by 0", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0, 4)),
     "GOAWAY PROTOCOL_ERROR"},
    {"a window update by 0 of a stream",
     open_post + frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(0, 4)), "*PROTOCOL_ERROR"},
    {"a window above its limit", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(0x7fff'ffff, 4)),
     "GOAWAY FLOW_CONTROL_ERROR"},
    {"a window of a stream above its limit",
     open_post + frame(NGHTTP2_WINDOW_UPDATE, 0, 1, number(0x7fff'ffff, 4)),
     "RST 1 FLOW_CONTROL_ERROR"},
    {"a window update of another length", frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "123"),
     "GOAWAY FRAME_SIZE_ERROR"},
    // 8.1 to 8.3: requests
    {"a name in capitals", with(literal("X-Name", "x")), "RST 1 PROTOCOL_ERROR"},
    {"a pseudo field that nobody knows", with(literal(":test", "x")), "RST 1 PROTOCOL_ERROR"},
    {"a pseudo field of responses", with(literal(":status", "200")), "RST 1 PROTOCOL_ERROR"},
    {"a pseudo field behind others", headers(1, literal("x", "y") + head()),
     "RST 1 PROTOCOL_ERROR"},
    {"a pseudo field in the trailers",
     open_post + data(1, "x", false) + headers(1, literal(":method", "GET")),
     "RST 1 PROTOCOL_ERROR"},
    {"trailers that do not end the stream",
     open_post + data(1, "x", false) + headers(1, literal("x", "y"), false), "*PROTOCOL_ERROR"},
    {"Connection", with(literal("connection", "keep-alive")), "RST 1 PROTOCOL_ERROR"},
    {"Transfer-Encoding", with(literal("transfer-encoding", "chunked")), "RST 1 PROTOCOL_ERROR"},
    {"Upgrade", with(literal("upgrade", "h2c")), "RST 1 PROTOCOL_ERROR"},
    {"TE with more than trailers", with(literal("te", "trailers, deflate")),
     "RST 1 PROTOCOL_ERROR"},
    {"TE with trailers", with(literal("te", "trailers")), ""},
    {"a path that is empty",
     pseudo({{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "a"}}),
     "RST 1 PROTOCOL_ERROR"},
    {"no method", pseudo({{":scheme", "http"}, {":path", "/"}, {":authority", "a"}}),
     "RST 1 PROTOCOL_ERROR"},
    {"no scheme", pseudo({{":method", "GET"}, {":path", "/"}, {":authority", "a"}}),
     "RST 1 PROTOCOL_ERROR"},
    {"no path", pseudo({{":method", "GET"}, {":scheme", "http"}, {":authority", "a"}}),
     "RST 1 PROTOCOL_ERROR"},
    {"two methods", headers(1, literal(":method", "GET") + head()), "RST 1 PROTOCOL_ERROR"},
    {"two paths", headers(1, literal(":path", "/") + head()), "RST 1 PROTOCOL_ERROR"},
    {"neither authority nor Host",
     pseudo({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}), "RST 1 PROTOCOL_ERROR"},
    {"Host that is no host",
     pseudo({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a b"}}),
     "RST 1 PROTOCOL_ERROR"},
    {"a line end in a value", with(literal("x", "a\r\nb")), "RST 1 PROTOCOL_ERROR"},
    {"NUL in a value", with(literal("x", std::string_view{"a\0b", 3})), "RST 1 PROTOCOL_ERROR"},
    {"a name that is empty", with(literal("", "x")), "RST 1 PROTOCOL_ERROR"},
    {"less data than was said",
     headers(1, head("POST") + literal("content-length", "5"), false) + data(1, "1234", true),
     "RST 1 PROTOCOL_ERROR"},
    {"more data than was said",
     headers(1, head("POST") + literal("content-length", "1"), false) + data(1, "12", true),
     "RST 1 PROTOCOL_ERROR"},
    {"two lengths",
     headers(1, head("POST") + literal("content-length", "1") + literal("content-length", "1"),
             false),
     "RST 1 PROTOCOL_ERROR"},
    {"a length that is no number",
     headers(1, head("POST") + literal("content-length", "+1"), false), "RST 1 PROTOCOL_ERROR"},
    {"as much data as was said",
     headers(1, head("POST") + literal("content-length", "2"), false) + data(1, "12", true), ""},
  };
  return rows;
}

} // namespace

TEST_CASE("what is no HTTP/2 is refused as RFC 9113 has it") {
  for (const auto& r : table()) {
    http2_wire t{reads()};
    t.deliver(preface + settings());
    t.take();
    t.deliver(r.frames);
    const auto said = t.transport.value();
    const auto found = errors(said);
    const std::string first = found.empty() ? "" : found[0];
    INFO(r.about << ": " << first);
    if (r.error.starts_with('*')) // of the stream or of the connection
      CHECK(first.ends_with(' ' + r.error.substr(1)));
    else
      CHECK(first == r.error);
    CHECK(t.closing() == first.starts_with("GOAWAY"));
  }
}

TEST_CASE("HTTP/2 is the same in all pieces") {
  for (const auto& r : table()) {
    // What is right or wrong for a stream that is answered already depends on when that was.
    if (r.frames.size() > 200 || r.error.starts_with('*'))
      continue;
    const auto answers = [&](std::size_t size) {
      http2_wire t{reads()};
      t.deliver_in_pieces(preface + settings() + r.frames, size);
      return errors(t.transport.value());
    };
    INFO(r.about);
    CHECK(answers(1) == answers(10'000));
    CHECK(answers(3) == answers(10'000));
  }
}

TEST_CASE("a preface that goes wrong is told so") {
  for (const std::string_view text :
       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "PRI * HTTP/2.0\r\nHost: a\r\n\r\nxxxxx"}) {
    http2_wire t{reads()};
    t.deliver(text);
    CHECK(errors(t.transport.value()) == std::vector<std::string>{"GOAWAY PROTOCOL_ERROR"});
    CHECK(t.closing());
  }
  http2_wire t{reads()}; // the first frame is none of settings
  t.deliver(preface + headers(1, head()));
  CHECK(errors(t.transport.value()) == std::vector<std::string>{"GOAWAY PROTOCOL_ERROR"});
}

TEST_CASE("a request that is understood and not taken has an answer, and the connection goes on") {
  const auto status = [](const std::string& frames) {
    http2_wire t{reads()};
    t.deliver(preface + settings());
    t.take();
    t.deliver(frames);
    CHECK_FALSE(t.closing());
    nghttp2_hd_inflater* inflater = nullptr;
    nghttp2_hd_inflate_new(&inflater);
    std::string found;
    for (const auto& f : split(t.transport.value()))
      if (f.type == NGHTTP2_HEADERS) {
        std::string_view in = f.payload;
        for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
          nghttp2_nv nv;
          const auto n = nghttp2_hd_inflate_hd2(
            inflater, &nv, &flags, reinterpret_cast<const std::uint8_t*>(in.data()), in.size(), 1);
          REQUIRE(n >= 0);
          in.remove_prefix(static_cast<std::size_t>(n));
          if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && found.empty())
            found.assign(reinterpret_cast<const char*>(nv.value), nv.valuelen);
        }
      }
    nghttp2_hd_inflate_del(inflater);
    return found;
  };
  CHECK(status(with("")) == "200");
  CHECK(status(with(literal("host", "a"))) == "200");
  CHECK(status(with(literal("host", "b"))) == "400");
  CHECK(status(with(literal("expect", "miracles"))) == "417");
  CHECK(status(pseudo({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "a"}}))
        == "200");
  CHECK(status(headers(1, head("GET", "/\x80"))) != "200");
  CHECK(status(headers(1, literal(":method", "CONNECT") + literal(":authority", "a:1"), false))
        == "405");
  CHECK(status(headers(1, head("TRACE"))) == "405");
  for (const auto* const path :
       {"foo", "h://a@b/admin", "*"}) // of schemes that are not the web's, too
    CHECK(
      status(pseudo({{":method", "GET"}, {":scheme", "x"}, {":path", path}, {":authority", "a"}}))
      == "400");
  std::string many;
  for (int i = 0; i < 105; ++i)
    many += literal("x", "y");
  CHECK(status(with(many)) == "431");
  std::string large; // of 17 KB
  for (int i = 0; i < 80; ++i)
    large += literal("x", std::string(126, 'x')) + literal("y", std::string(80, 'y'));
  const auto half = large.size() / 2;
  CHECK(status(headers(1, head() + large.substr(0, half), true, false)
               + frame(NGHTTP2_CONTINUATION, 4, 1, large.substr(half)))
        == "431");
}

TEST_CASE("floods end the connection, and say why") {
  const auto end_of = [](const std::string& first, auto&& each, int count) {
    http2_wire t{reads()};
    t.deliver(preface + settings() + first);
    t.take();
    for (int i = 0; i < count && !t.closing(); ++i)
      t.deliver(each(i));
    const auto found = errors(t.transport.value());
    return found.empty() ? std::string{} : found.back();
  };
  const std::string calm = "GOAWAY ENHANCE_YOUR_CALM";
  CHECK(end_of(
          "", [](int) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }, 900)
        == "");
  CHECK(end_of(
          "", [](int) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }, 1100)
        == calm);
  CHECK(end_of(
          "", [](int) { return settings(); }, 1100)
        == calm);
  CHECK(end_of(
          "", [](int) { return frame(NGHTTP2_PRIORITY, 0, 1, number(0, 5)); }, 1100)
        == calm);
  CHECK(end_of(
          "", [](int) { return frame(NGHTTP2_WINDOW_UPDATE, 0, 0, number(1, 4)); }, 1100)
        == calm);
  CHECK(end_of(
          open_post, [](int) { return data(1, "", false); }, 1100)
        == calm);
  CHECK(
    end_of(
      open_post, [](int) { return frame(NGHTTP2_DATA, 8, 1, std::string("\x03\0\0\0", 4)); }, 1100)
    == calm);
  // The client's resets, and those that it makes us send.
  const auto stream = [](int i) {
    return static_cast<std::uint32_t>(2 * i + 1);
  };
  CHECK(end_of(
          "",
          [&](int i) {
            return headers(stream(i), head("POST"), false)
                   + frame(NGHTTP2_RST_STREAM, 0, stream(i), number(8, 4));
          },
          1100)
        == calm);
  CHECK(end_of(
          "", [&](int i) { return headers(stream(i), head() + literal("Bad", "x")); }, 1100)
        == calm);
}

TEST_CASE("a client that is slow about it may send such frames for ever") {
  http2_wire t{reads()};
  t.deliver(preface + settings());
  for (int i = 0; i < 5000; ++i) {
    t.deliver(frame(NGHTTP2_PING, 0, 0, "12345678"));
    t.advance(std::chrono::milliseconds(31));
    if (i % 500 == 0)
      t.deliver(headers(static_cast<std::uint32_t>(i / 250 + 1), head())); // else it is idle
  }
  CHECK_FALSE(t.closing());
}

TEST_CASE("heads do not grow without end") {
  const auto end_of = [](const std::string& frames) {
    http2_wire t{reads()};
    t.deliver(preface + settings());
    t.take();
    t.deliver(frames);
    const auto found = errors(t.transport.value());
    return found.empty() ? std::string{} : found.back();
  };
  // Continuations: CVE-2024-28182.
  const auto in_frames = [](int count) {
    auto text = headers(1, head(), true, false);
    for (int i = 1; i < count; ++i)
      text += frame(NGHTTP2_CONTINUATION, i + 1 == count ? 4 : 0, 1, literal("x", "y"));
    return text;
  };
  CHECK(end_of(in_frames(9)) == "");
  CHECK(end_of(in_frames(10)) == "GOAWAY ENHANCE_YOUR_CALM");
  // A bomb: one entry of 4,000 bytes, named by one byte each.
  const std::string value(4000, 'z');
  std::string bomb = head() + '\x40' + '\x01' + 'x' + "\x7f\xa1\x1e" + value;
  bomb += std::string(10'000, '\xbe');
  CHECK(end_of(headers(1, bomb)) == "GOAWAY ENHANCE_YOUR_CALM");
}

TEST_CASE("a head that does not end is given up in time") {
  http2_wire t{reads()};
  t.deliver(preface + settings() + headers(1, head(), true, false));
  t.take();
  t.advance(std::chrono::seconds(10) - std::chrono::milliseconds(1));
  CHECK_FALSE(t.closing());
  t.advance(std::chrono::milliseconds(1));
  CHECK(t.closing());
  CHECK(errors(t.transport.value()) == std::vector<std::string>{"GOAWAY PROTOCOL_ERROR"});
}
