// Requests to connect directly: what is read, written, and refused.

#include <troupe/irc/dcc_request.hpp>

#include <string>
#include <vector>

#include <troupe/testing/hostile_input.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::irc;
using namespace std::string_literals;

namespace {

dcc_request offer(const std::string& host, std::uint16_t port, const std::string& file = "a.txt") {
  dcc_request r;
  r.file = file;
  r.address = net_address::ip(host, port);
  r.port = port;
  r.size = 10;
  return r;
}

} // namespace

TEST_CASE("DCC: what clients send is read, and written again") {
  struct row {
    std::string text;
    dcc_kind kind;
    std::string file, host;
    std::uint16_t port;
    std::optional<std::uint64_t> size;
    std::uint64_t position;
    std::string token;
  };
  const row rows[] = {
    {"SEND notes.txt 3405803777 5000 1234", dcc_kind::send, "notes.txt", "203.0.113.1", 5000, 1234,
     0, ""},
    {"SEND \"my notes.txt\" 3405803777 5000 1234", dcc_kind::send, "my notes.txt", "203.0.113.1",
     5000, 1234, 0, ""},
    {"SEND a 3405803777 5000", dcc_kind::send, "a", "203.0.113.1", 5000, {}, 0, ""},
    {"SEND a 3405803777 0 -1 42", dcc_kind::send, "a", "203.0.113.1", 0, {}, 0, "42"},
    {"SEND a 3405803777 0 7 42", dcc_kind::send, "a", "203.0.113.1", 0, 7, 0, "42"},
    {"SEND a 2001:db8::1 5000 5000000000", dcc_kind::send, "a", "2001:db8::1", 5000, 5'000'000'000,
     0, ""},
    {"CHAT chat 3405803777 5000", dcc_kind::chat, "chat", "203.0.113.1", 5000, {}, 0, ""},
    {"CHAT chat 3405803777 0 9", dcc_kind::chat, "chat", "203.0.113.1", 0, {}, 0, "9"},
    {"RESUME notes.txt 5000 700", dcc_kind::resume, "notes.txt", "", 5000, {}, 700, ""},
    {"ACCEPT \"a b\" 0 700 42", dcc_kind::accept, "a b", "", 0, {}, 700, "42"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.text);
    const auto got = parse_dcc(r.text);
    REQUIRE(got.request);
    CHECK(got.request->kind == r.kind);
    CHECK(got.request->file == r.file);
    CHECK(got.request->address.host() == r.host);
    CHECK(got.request->port == r.port);
    CHECK(got.request->size == r.size);
    CHECK(got.request->position == r.position);
    CHECK(got.request->token == r.token);
    CHECK(to_ctcp(*got.request) == ctcp_request{"DCC", r.text});
  }
  CHECK(parse_dcc("send a 203.0.113.1 5000 x").request->address.host() == "203.0.113.1");
  CHECK_FALSE(parse_dcc("send a 203.0.113.1 5000 x").request->size);
  CHECK(parse_dcc("SEND   a   3405803777  5000 ").request->port == 5000);
}

TEST_CASE("DCC: what cannot be read is told, or passed over in silence") {
  const std::pair<std::string, std::string> rows[] = {
    {"", "unknown DCC type"},
    {"SSEND a 1 2 3", "unknown DCC type"},
    {"SEND", "malformed DCC SEND request"},
    {"SEND a 1", "malformed DCC SEND request"},
    {"CHAT chat 1", "malformed DCC CHAT request"},
    {"RESUME a 1", "malformed DCC RESUME request"},
    {"ACCEPT a", "malformed DCC ACCEPT request"},
    {"SEND a x 5000 1", "Indecipherable address"},
    {"SEND a 4294967296 5000 1", "Indecipherable address"},
    {"SEND a 1.2.3 5000 1", "Indecipherable address"},
    {"SEND a 1 65536 1", "Indecipherable port"},
    {"SEND a 1 -1 1", "Indecipherable port"},
    {"RESUME a x 1", "Indecipherable port"},
    {"SEND a 1 0 1 \"4 2\"", "malformed DCC SEND request"},
    {"CHAT chat 1 0 4\"2", "malformed DCC CHAT request"},
    {"ACCEPT a 0 1 4\r2", "malformed DCC ACCEPT request"},
    {"RESUME a 5000 x", ""},
    {"RESUME a 5000 -1", ""},
  };
  for (const auto& [text, problem] : rows) {
    CAPTURE(text);
    CHECK_FALSE(parse_dcc(text).request);
    CHECK(parse_dcc(text).problem == problem);
  }
}

TEST_CASE(
  "DCC: a file is never called so that it lies elsewhere, is hidden, or obeyed by a terminal") {
  const std::pair<std::string, std::string> rows[] = {
    {"notes.txt", "notes.txt"},
    {"../../etc/passwd", "passwd"},
    {"C:\\windows\\win.ini", "win.ini"},
    {"/etc/", ""},
    {"..", ""},
    {". .", ""},
    {"", ""},
    {".bashrc", "bashrc"},
    {"...x", "x"},
    {"-rf", "_rf"},
    {"a b ", "a b"},
  };
  for (const auto& [name, expected] : rows)
    CHECK(dcc_file_name(name) == expected);
  CHECK(dcc_file_name("a\x1b[2Jb\n\0c"s).find_first_of("\x1b\n\0"s) == std::string::npos);
  CHECK(dcc_file_name(std::string(300, 'x')).size() == 200);
  CHECK(dcc_file_name(std::string(199, 'x') + "\xc3\xa4") == std::string(199, 'x'));
}

TEST_CASE(
  "DCC: addresses that are not public, low ports and large files are refused unless allowed") {
  CHECK(dcc_refusal(offer("203.0.114.1", 5000)).empty());
  CHECK(dcc_refusal(offer("2600::1", 5000)).empty());
  for (const auto* host :
       {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
        "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1",
        "::ffff:127.0.0.1", "::ffff:203.0.114.1", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::"}) {
    CAPTURE(host);
    CHECK(dcc_refusal(offer(host, 5000)) == "an address that is not public");
    CHECK(dcc_refusal(offer(host, 5000), {.private_addresses = true}).empty());
  }
  CHECK(dcc_refusal(offer("172.32.0.1", 5000)).empty());
  CHECK(dcc_refusal(offer("203.0.114.1", 25)) == "a port below 1024");
  CHECK(dcc_refusal(offer("203.0.114.1", 25), {.low_ports = true}).empty());
  CHECK(dcc_refusal(offer("203.0.114.1", 0)) == "no port");
  CHECK(dcc_refusal(offer("203.0.114.1", 5000), {.most_bytes = 9})
        == "a file of more than 9 bytes");
  CHECK(dcc_refusal(offer("203.0.114.1", 5000, "/..")) == "no name of a file");
}

TEST_CASE("DCC: what would break out of a request is not written") {
  for (const auto& name : {"a\"b"s, "a\rb"s, "\0"s, ""s, "a\x7f"s})
    CHECK_THROWS_AS(to_ctcp(offer("203.0.114.1", 5000, name)), std::invalid_argument);
  auto r = offer("203.0.114.1", 0);
  r.token = "4 2";
  CHECK_THROWS_AS(to_ctcp(r), std::invalid_argument);
}

TEST_CASE("DCC: a name that a request cannot hold is written in another way") {
  CHECK(dcc_sendable_name("my notes.txt") == "my notes.txt");
  CHECK(dcc_sendable_name("a\"b\x01\0\n"s) == "a_b___");
  CHECK(dcc_sendable_name("\xc3\xa4") == "\xc3\xa4");
  CHECK(dcc_sendable_name("") == "file");
}

TEST_CASE("DCC: hostile requests are read or refused, and what was read can be written") {
  const testing::hostile_input make{{"SEND \"a b\" 3405803777 5000 1234 7", "CHAT chat ::1 0 9",
                                     "RESUME a 5000 18446744073709551615"}};
  std::size_t read = 0;
  make.each(
    [&](std::string_view text) {
      const auto got = parse_dcc(text);
      if (!got.request)
        return;
      ++read;
      (void)dcc_refusal(*got.request);
      const auto name = dcc_file_name(got.request->file);
      CHECK(name.find('/') == std::string::npos);
      CHECK_FALSE(name.starts_with('.'));
    },
    500);
  CHECK(read > 50);
}
