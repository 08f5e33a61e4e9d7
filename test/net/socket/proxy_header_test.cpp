#include <troupe/net/proxy_header.hpp>

#include <string>
#include <vector>

#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;
using error = proxy_header_error;
using status = proxy_header_parser::status;

namespace {

// What came of it: the two ends, or what is wrong; and what is left for the protocol.
std::vector<std::string> read_header(const testing::split_input& input, std::size_t max = 4096) {
  proxy_header_parser parser{max};
  std::string left;
  auto how = status::more;
  input.feed([&](std::string_view piece) {
    how = parser.next(piece);
    CHECK((how != status::more || piece.empty()));
    left += piece;
    return how != status::failed;
  });
  if (how == status::failed)
    return {std::string{to_string(parser.error())}};
  if (how == status::more)
    return {"more"};
  const auto& [from, to] = parser.header();
  return {from.to_string(), to.to_string(), left};
}

std::vector<std::string> read_header(std::string_view input, std::size_t max = 4096) {
  CHECK(testing::split_difference(
          input, [&](const testing::split_input& split) { return read_header(split, max); })
        == "");
  return read_header(testing::split_input{input, {}}, max);
}

std::string what(error e) {
  return std::string{to_string(e)};
}

const auto signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(std::uint8_t command, std::uint8_t kind, const std::string& block) {
  return signature + static_cast<char>(command) + static_cast<char>(kind)
         + static_cast<char>(block.size() >> 8) + static_cast<char>(block.size()) + block;
}

std::string extension(char type, const std::string& value) {
  return std::string(1, type) + static_cast<char>(value.size() >> 8)
         + static_cast<char>(value.size()) + value;
}

const auto ipv4_block =
  "\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x01\xbb"s; // 192.0.2.1 198.51.100.2
const std::vector<std::string> ipv4_ends{"192.0.2.1:12345", "198.51.100.2:443", ""};

std::string padded(std::string path) {
  path.resize(108, '\0');
  return path;
}

} // namespace

// -- version 1 --------------------------------------------------------------------------------------

TEST_CASE("a PROXY line tells the ends, and what follows is the protocol's, for every split") {
  CHECK(read_header("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n")
        == std::vector<std::string>{"192.168.0.1:56324", "192.168.0.11:443", "GET / HTTP/1.1\r\n"});
  CHECK(read_header("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n\r\n\n")
        == std::vector<std::string>{"[2001:db8::1]:1", "[::1]:65535", "\r\n\n"});
  CHECK(read_header("PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::ffff:192.0.2.1 0 0\r\n")
        == std::vector<std::string>{"[2001:db8::1]:0", "[::ffff:192.0.2.1]:0", ""});
}

TEST_CASE("a PROXY line of an unknown kind names nobody, whatever is in it") {
  for (const auto* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN a b c d e\r\n",
                           "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"})
    CHECK(read_header(line) == std::vector<std::string>{"", "", ""});
}

TEST_CASE("a PROXY line that is not exactly as the protocol has it is refused") {
  for (const auto* line : {"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 1\r\n",
                           "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
                           "PROXY TCP4 192.168.00.1 192.168.0.11 56324 443\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 -1 443\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n",
                           "PROXY TCP4 192.168.0.256 192.168.0.11 1 443\r\n",
                           "PROXY TCP4 192.168.1 192.168.0.11 1 443\r\n",
                           "PROXY TCP4 ::1 ::1 1 443\r\n",
                           "PROXY TCP6 192.168.0.1 ::1 1 443\r\n",
                           "PROXY TCP6 ::1%lo ::1 1 443\r\n",
                           "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 443\r\n",
                           "PROXY TCP5 ::1 ::1 1 443\r\n",
                           "PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n",
                           "PROXY UNKNOWNS\r\n",
                           "PROXY UNKNOWN\n",
                           "PROXY \r\n",
                           "PROXY TCP4\r\n",
                           "PROXY  UNKNOWN\r\n",
                           "PROXY TCP4 a.example 192.168.0.11 1 443\r\n",
                           "PROXY TCP4 192.168.0.1 192.168.0.11 1 443\r\r\n"})
    CHECK(read_header(line) == std::vector<std::string>{what(error::bad_line)});
}

TEST_CASE("a PROXY line has 107 bytes at most") {
  const auto line = [](std::size_t size) {
    return "PROXY UNKNOWN " + std::string(size - 16, 'x') + "\r\n";
  };
  CHECK(read_header(line(106)).size() == 3);
  CHECK(read_header(line(107)).size() == 3);
  CHECK(read_header(line(108)) == std::vector<std::string>{what(error::too_long)});
  CHECK(read_header("PROXY UNKNOWN " + std::string(92, 'x')) == std::vector<std::string>{"more"});
  CHECK(read_header("PROXY UNKNOWN " + std::string(93, 'x'))
        == std::vector<std::string>{what(error::too_long)});
}

TEST_CASE("what begins as no header does is refused with its first wrong byte") {
  for (const auto& other :
       {"GET / HTTP/1.1\r\n"s, "\x16\x03\x01"s, "PROXZ"s, "PROXY\t"s, "proxy "s, "\r\n\r\n\r\n"s,
        "\r\r"s, "\n"s, "\0"s, signature.substr(0, 11) + "\r", "PUT "s})
    CHECK(read_header(other) == std::vector<std::string>{what(error::no_header)});
  proxy_header_parser parser;
  CHECK(parser.is_empty());
  std::string_view in = "PR";
  CHECK(parser.next(in) == status::more);
  CHECK_FALSE(parser.is_empty());
  in = "I";
  CHECK(parser.next(in) == status::failed);
}

// -- version 2 --------------------------------------------------------------------------------------

TEST_CASE("a header of version 2 tells the ends, for every split") {
  CHECK(read_header(binary(0x21, 0x11, ipv4_block) + "hello")
        == std::vector<std::string>{ipv4_ends[0], ipv4_ends[1], "hello"});
  const auto six = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\1" + std::string(15, '\0') + "\2"
                   + "\x00\x01\xff\xff"s;
  CHECK(read_header(binary(0x21, 0x21, six))
        == std::vector<std::string>{"[2001:db8::1]:1", "[::2]:65535", ""});
  CHECK(read_header(binary(0x21, 0x31, padded("/run/client") + padded("/run/server")))
        == std::vector<std::string>{"/run/client", "/run/server", ""});
  CHECK(read_header(binary(0x21, 0x31, padded("\0name"s) + padded(std::string(108, 'x'))))
        == std::vector<std::string>{"@name", std::string(108, 'x'), ""});
}

TEST_CASE("the client of a UNIX socket without a name is one all the same") {
  proxy_header_parser parser;
  const auto bytes = binary(0x21, 0x31, padded("") + padded("/run/server"));
  std::string_view in = bytes;
  CHECK(parser.next(in) == status::whole);
  CHECK(parser.header().names_client());
  CHECK(parser.header().source == net_address::path(""));
}

TEST_CASE("what a proxy sends for itself, or of a kind that is no stream, names nobody") {
  const std::vector<std::string> nobody{"", "", "rest"};
  CHECK(read_header(binary(0x20, 0x00, "") + "rest") == nobody);
  CHECK(read_header(binary(0x20, 0x11, ipv4_block) + "rest") == nobody);
  CHECK(read_header(binary(0x20, 0xff, "anything") + "rest")
        == nobody); // its family does not count
  CHECK(read_header(binary(0x21, 0x00, "") + "rest") == nobody);
  CHECK(read_header(binary(0x21, 0x00, "anything") + "rest") == nobody);
  CHECK(read_header(binary(0x21, 0x10, ipv4_block) + "rest") == nobody);
  CHECK(read_header(binary(0x21, 0x12, ipv4_block) + "rest") == nobody);
  CHECK(read_header(binary(0x21, 0x32, padded("/a") + padded("/b")) + "rest") == nobody);
}

TEST_CASE("extensions are skipped, and must end where the header does") {
  const auto some = extension(1, "h2") + extension(2, "a.example") + extension(4, "")
                    + extension(5, std::string(128, 'u')) + extension(0x20, std::string(300, 's'))
                    + extension(static_cast<char>(0xee), "x");
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + some)) == ipv4_ends);
  const std::vector<std::string> broken{what(error::bad_extension)};
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + some + "\1")) == broken);
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + some + "\1\0"s)) == broken);
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + "\1\0\3ab"s)) == broken);
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + "\1\xff\xff"s)) == broken);
}

TEST_CASE("a checksum must be the right one, wherever it stands") {
  const proxy_header header{net_address::ip("192.0.2.1", 12345),
                            net_address::ip("198.51.100.2", 443)};
  const auto good = proxy_header_v2(header, true);
  CHECK(read_header(good) == ipv4_ends);
  for (std::size_t at = 16; at < 28; ++at) {
    auto bad = good;
    bad[at] ^= 4;
    CHECK(read_header(bad) == std::vector<std::string>{what(error::bad_checksum)});
  }
  auto bad = good;
  bad.back() ^= 1;
  CHECK(read_header(bad) == std::vector<std::string>{what(error::bad_checksum)});
  const std::vector<std::string> broken{what(error::bad_extension)};
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + extension(3, "abc"))) == broken);
  CHECK(read_header(binary(0x21, 0x11, ipv4_block + extension(3, "abcde"))) == broken);
  CHECK(read_header(binary(0x21, 0x11,
                           ipv4_block + extension(3, good.substr(good.size() - 4))
                             + extension(3, good.substr(good.size() - 4))))
        == broken);
  CHECK(read_header(binary(0x20, 0x11, ipv4_block + extension(3, "abc"))) // LOCAL: all is skipped
        == std::vector<std::string>{"", "", ""});
}

// Bytes that haproxy 2.6 has sent: send-proxy-v2 with proxy-v2-options crc32c.
TEST_CASE("the checksum of a header is the one that haproxy makes") {
  CHECK(
    read_header(
      "\r\n\r\n\0\r\nQUIT\n!\x11\0\x13\x7f\0\0\1\x7f\0\0\1\xcf\xc8\x80\x63\3\0\4\x09\x72\x49\x1ahi"s)
    == std::vector<std::string>{"127.0.0.1:53192", "127.0.0.1:32867", "hi"});
}

TEST_CASE("versions, commands and families that there are not are refused") {
  const auto refused = [](std::uint8_t command, std::uint8_t kind, const std::string& block) {
    const auto result = read_header(binary(command, kind, block));
    return result.size() == 1 ? result[0] : "taken";
  };
  for (const int command : {0x11, 0x01, 0x31, 0x00, 0xf1})
    CHECK(refused(static_cast<std::uint8_t>(command), 0x11, ipv4_block)
          == what(error::bad_version));
  for (const int command : {0x22, 0x2f})
    CHECK(refused(static_cast<std::uint8_t>(command), 0x11, ipv4_block)
          == what(error::bad_command));
  for (const int kind : {0x13, 0x1f, 0x41, 0xf1, 0x03, 0x40})
    CHECK(refused(0x21, static_cast<std::uint8_t>(kind), std::string(300, '\0'))
          == what(error::bad_family));
  CHECK(refused(0x21, 0x11, ipv4_block.substr(1)) == what(error::too_short));
  CHECK(refused(0x21, 0x11, "") == what(error::too_short));
  CHECK(refused(0x21, 0x21, std::string(35, '\0')) == what(error::too_short));
  CHECK(refused(0x21, 0x31, std::string(215, '\0')) == what(error::too_short));
}

TEST_CASE(
  "a header of version 2 has at most as many bytes as it may, and one too long is not waited for") {
  const auto of_size = [](std::size_t size) {
    return binary(0x21, 0x11, ipv4_block + extension(4, std::string(size - 16 - 12 - 3, 'x')));
  };
  CHECK(read_header(testing::split_input{of_size(200), {}}, 200) == ipv4_ends);
  CHECK(read_header(testing::split_input{of_size(199), {}}, 200) == ipv4_ends);
  CHECK(read_header(of_size(201).substr(0, 16), 200)
        == std::vector<std::string>{what(error::too_long)});
  CHECK(read_header(of_size(201).substr(0, 15), 200) == std::vector<std::string>{"more"});
  const auto longest = of_size(65551);
  CHECK(read_header(testing::split_input{longest, {}}, 65551) == ipv4_ends);
}

// -- writing ----------------------------------------------------------------------------------------

TEST_CASE("what is written is read as it was") {
  const auto v4 = net_address::ip("192.0.2.1", 1), to4 = net_address::ip("198.51.100.2", 65535);
  const auto v6 = net_address::ip("2001:db8::1", 7), to6 = net_address::ip("::1", 80);
  const auto path = net_address::path("/run/a"), abstract = net_address::path("@b");
  const auto both = [](const net_address& a, const net_address& b) {
    return std::vector<std::string>{a.to_string(), b.to_string(), ""};
  };
  const std::vector<std::string> nobody{"", "", ""};
  CHECK(proxy_header_v1({v4, to4}) == "PROXY TCP4 192.0.2.1 198.51.100.2 1 65535\r\n");
  CHECK(proxy_header_v1({v6, to6}) == "PROXY TCP6 2001:db8::1 ::1 7 80\r\n");
  CHECK(proxy_header_v1({v4, to6}) == "PROXY UNKNOWN\r\n");
  CHECK(proxy_header_v1({path, path}) == "PROXY UNKNOWN\r\n");
  CHECK(proxy_header_v1({}) == "PROXY UNKNOWN\r\n");
  CHECK(proxy_header_v2({}) == signature + "\x20\0\0\0"s);
  CHECK(proxy_header_v2({v4, path}) == signature + "\x21\0\0\0"s);
  for (const bool sum : {false, true}) {
    CHECK(read_header(proxy_header_v2({v4, to4}, sum)) == both(v4, to4));
    CHECK(read_header(proxy_header_v2({v6, to6}, sum)) == both(v6, to6));
    CHECK(read_header(proxy_header_v2({path, abstract}, sum)) == both(path, abstract));
    CHECK(read_header(proxy_header_v2({v4, to6}, sum))
          == both(net_address::ip("::ffff:192.0.2.1", 1), to6));
    CHECK(read_header(proxy_header_v2({}, sum)) == nobody);
    CHECK(read_header(proxy_header_v2({v4, path}, sum)) == nobody);
  }
}
