#include <troupe/net/proxy_header.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include <netinet/in.h>
#include <sys/un.h>

#include "socket_address.hpp"

namespace troupe {

namespace {

using namespace std::string_view_literals;

constexpr auto proxy_line_start = "PROXY "sv;
constexpr auto proxy_signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t proxy_start_size = 16; // of version 2, in front of the addresses
constexpr std::size_t path_size = 108;
constexpr std::size_t extension_head = 3;
constexpr std::uint8_t checksum_extension = 3;

// -- checksum -----------------------------------------------------------------------------------

constexpr std::array<std::uint32_t, 256> crc32c_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    auto rest = i;
    for (int bit = 0; bit < 8; ++bit)
      rest = (rest & 1) != 0 ? rest >> 1 ^ 0x82f63b78 : rest >> 1;
    table[i] = rest;
  }
  return table;
}();

// RFC 4960, appendix B
std::uint32_t crc32c(std::string_view bytes) noexcept {
  std::uint32_t sum = 0xffffffff;
  for (const char byte : bytes)
    sum = crc32c_table[(sum ^ static_cast<unsigned char>(byte)) & 0xff] ^ sum >> 8;
  return ~sum;
}

// Returns how many bytes the addresses of a family have; nothing if there is no such one.
std::optional<std::size_t> block_size(unsigned family) noexcept {
  constexpr std::size_t sizes[] = {0, 12, 36, 2 * path_size};
  return family < std::size(sizes) ? std::optional{sizes[family]} : std::nullopt;
}

// -- numbers and addresses ----------------------------------------------------------------------

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size) noexcept {
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < size; ++i)
    n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
  return n;
}

void put_number(std::string& to, std::uint32_t n, std::size_t size) {
  while (size-- > 0)
    to += static_cast<char>(n >> 8 * size & 0xff);
}

template <class Address>
net_address address_of(const Address& a) {
  sockaddr_storage all{};
  std::memcpy(&all, &a, sizeof a);
  return detail::socket_address{all}.to_address();
}

net_address ipv4_at(std::string_view bytes, std::size_t at, std::size_t port_at) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  std::memcpy(&in.sin_addr, bytes.data() + at, sizeof in.sin_addr);
  std::memcpy(&in.sin_port, bytes.data() + port_at, sizeof in.sin_port);
  return address_of(in);
}

net_address ipv6_at(std::string_view bytes, std::size_t at, std::size_t port_at) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  std::memcpy(&in.sin6_addr, bytes.data() + at, sizeof in.sin6_addr);
  std::memcpy(&in.sin6_port, bytes.data() + port_at, sizeof in.sin6_port);
  return address_of(in);
}

net_address path_at(std::string_view bytes, std::size_t at) {
  sockaddr_un un{};
  static_assert(sizeof un.sun_path == path_size);
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, bytes.data() + at, path_size);
  return address_of(un);
}

// In decimal digits, without zeros in front.
std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()
      || (text.size() > 1 && text[0] == '0'))
    return {};
  return port;
}

std::optional<net_address> address_of(std::string_view text, std::string_view port, int family) {
  const auto number = port_of(port);
  const auto parsed = text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos
                        ? detail::parse_ip(std::string{text}, number.value_or(0))
                        : std::nullopt;
  if (!number || !parsed || parsed->ss_family != family)
    return {};
  return detail::socket_address{*parsed}.to_address();
}

// The bytes of an IP address; of IPv4, if `mapped`, those of the mapped one.
std::string bytes_of(const net_address& a, bool mapped) {
  const auto parsed = detail::parse_ip(a.host(), 0);
  if (!parsed)
    return std::string(mapped ? 16 : 4, '\0');
  if (parsed->ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &*parsed, sizeof in);
    return {reinterpret_cast<const char*>(&in.sin6_addr), sizeof in.sin6_addr};
  }
  sockaddr_in in;
  std::memcpy(&in, &*parsed, sizeof in);
  const std::string four{reinterpret_cast<const char*>(&in.sin_addr), sizeof in.sin_addr};
  return mapped ? std::string(10, '\0') + "\xff\xff" + four : four;
}

bool is_ip(const net_address& a) noexcept {
  return a.type() == net_address::kind::ipv4 || a.type() == net_address::kind::ipv6;
}

std::string bytes_of_path(const net_address& a) {
  auto path = a.host().substr(0, path_size);
  if (path.starts_with('@'))
    path[0] = '\0';
  path.resize(path_size, '\0');
  return path;
}

} // namespace

std::string_view to_string(proxy_header_error e) noexcept {
  switch (e) {
  case proxy_header_error::none:
    return "nothing";
  case proxy_header_error::no_header:
    return "no header of the PROXY protocol";
  case proxy_header_error::too_long:
    return "a header of the PROXY protocol that is longer than allowed";
  case proxy_header_error::bad_line:
    return "a PROXY line that is not as the protocol has it";
  case proxy_header_error::bad_version:
    return "a header of an unknown version of the PROXY protocol";
  case proxy_header_error::bad_command:
    return "a PROXY header with an unknown command";
  case proxy_header_error::bad_family:
    return "a PROXY header with an unknown family of addresses";
  case proxy_header_error::too_short:
    return "a PROXY header that is shorter than its addresses";
  case proxy_header_error::bad_extension:
    return "a PROXY header with a broken extension";
  case proxy_header_error::bad_checksum:
    return "a PROXY header with a wrong checksum";
  }
  return "?";
}

// -- reading ------------------------------------------------------------------------------------

proxy_header_parser::status proxy_header_parser::fail(proxy_header_error e) noexcept {
  error_ = e;
  return status_ = status::failed;
}

void proxy_header_parser::take(std::string_view& in, std::size_t up_to) {
  const auto count = std::min(in.size(), up_to - held_.size());
  held_ += in.substr(0, count);
  in.remove_prefix(count);
}

proxy_header_parser::status proxy_header_parser::next(std::string_view& in) {
  if (status_ != status::more || in.empty())
    return status_;
  const char first = held_.empty() ? in[0] : held_[0];
  if (first == proxy_line_start[0])
    return read_line(in);
  if (first == proxy_signature[0])
    return read_binary(in);
  return fail(proxy_header_error::no_header);
}

proxy_header_parser::status proxy_header_parser::read_line(std::string_view& in) {
  const auto end = in.find('\n');
  take(in, std::min(line_length, held_.size() + (end == in.npos ? in.size() : end + 1)));
  const auto seen = std::min(held_.size(), proxy_line_start.size());
  if (held_.compare(0, seen, proxy_line_start, 0, seen) != 0)
    return fail(proxy_header_error::no_header);
  if (held_.back() != '\n')
    return held_.size() < line_length ? status::more : fail(proxy_header_error::too_long);
  if (const auto wrong = parse_line(); wrong != proxy_header_error::none)
    return fail(wrong);
  return status_ = status::whole;
}

proxy_header_error proxy_header_parser::parse_line() {
  auto rest = std::string_view{held_}.substr(proxy_line_start.size());
  if (!rest.ends_with("\r\n"))
    return proxy_header_error::bad_line;
  rest.remove_suffix(2);
  if (rest == "UNKNOWN" || rest.starts_with("UNKNOWN "))
    return proxy_header_error::none; // the rest does not count
  const int family = rest.starts_with("TCP4 ") ? AF_INET : rest.starts_with("TCP6 ") ? AF_INET6 : 0;
  if (family == 0)
    return proxy_header_error::bad_line;
  rest.remove_prefix(5);
  std::array<std::string_view, 4> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto space = rest.find(' ');
    if ((space == rest.npos) != (i + 1 == words.size()))
      return proxy_header_error::bad_line;
    words[i] = rest.substr(0, space);
    rest.remove_prefix(space == rest.npos ? rest.size() : space + 1);
  }
  const auto from = address_of(words[0], words[2], family);
  const auto to = address_of(words[1], words[3], family);
  if (!from || !to)
    return proxy_header_error::bad_line;
  header_ = {*from, *to};
  return proxy_header_error::none;
}

proxy_header_parser::status proxy_header_parser::read_binary(std::string_view& in) {
  if (held_.size() < proxy_start_size) {
    take(in, proxy_start_size);
    const auto seen = std::min(held_.size(), proxy_signature.size());
    if (held_.compare(0, seen, proxy_signature, 0, seen) != 0)
      return fail(proxy_header_error::no_header);
    if (held_.size() < proxy_start_size)
      return status::more;
    if (const auto wrong = parse_start(); wrong != proxy_header_error::none)
      return fail(wrong);
  }
  take(in, length_);
  if (held_.size() < length_)
    return status::more;
  if (const auto wrong = parse_block(); wrong != proxy_header_error::none)
    return fail(wrong);
  return status_ = status::whole;
}

proxy_header_error proxy_header_parser::parse_start() {
  const auto command = number_at(held_, 12, 1);
  const auto kind = number_at(held_, 13, 1);
  if (command >> 4 != 2)
    return proxy_header_error::bad_version;
  if ((command & 15) > 1)
    return proxy_header_error::bad_command;
  length_ = proxy_start_size + number_at(held_, 14, 2);
  if (length_ > max_length_)
    return proxy_header_error::too_long;
  if ((command & 15) == 0) // LOCAL, whose family does not count
    return proxy_header_error::none;
  const auto block = block_size(kind >> 4);
  if (!block || (kind & 15) > 2)
    return proxy_header_error::bad_family;
  return length_ < proxy_start_size + *block ? proxy_header_error::too_short
                                             : proxy_header_error::none;
}

proxy_header_error proxy_header_parser::parse_block() {
  const bool local = number_at(held_, 12, 1) == 0x20;
  const auto kind = number_at(held_, 13, 1);
  const auto block = block_size(kind >> 4).value_or(0);
  if (local || block == 0)
    return proxy_header_error::none;
  if (const auto wrong = check_extensions(proxy_start_size + block);
      wrong != proxy_header_error::none)
    return wrong;
  const auto at = proxy_start_size;
  if (kind == 0x11)
    header_ = {ipv4_at(held_, at, at + 8), ipv4_at(held_, at + 4, at + 10)};
  else if (kind == 0x21)
    header_ = {ipv6_at(held_, at, at + 32), ipv6_at(held_, at + 16, at + 34)};
  else if (kind == 0x31)
    header_ = {path_at(held_, at), path_at(held_, at + path_size)};
  return proxy_header_error::none;
}

proxy_header_error proxy_header_parser::check_extensions(std::size_t from) {
  std::optional<std::uint32_t> told;
  while (from < held_.size()) {
    if (held_.size() - from < extension_head)
      return proxy_header_error::bad_extension;
    const auto size = number_at(held_, from + 1, 2);
    const auto value = from + extension_head;
    if (held_.size() - value < size)
      return proxy_header_error::bad_extension;
    if (number_at(held_, from, 1) == checksum_extension) {
      if (told || size != 4)
        return proxy_header_error::bad_extension;
      told = number_at(held_, value, 4);
      held_.replace(value, 4, 4, '\0'); // as it was when the sum was made
    }
    from = value + size;
  }
  return told && *told != crc32c(held_) ? proxy_header_error::bad_checksum
                                        : proxy_header_error::none;
}

// -- writing ------------------------------------------------------------------------------------

std::string proxy_header_v1(const proxy_header& header) {
  const auto& [from, to] = header;
  if (!is_ip(from) || from.type() != to.type())
    return "PROXY UNKNOWN\r\n";
  return (from.type() == net_address::kind::ipv4 ? "PROXY TCP4 " : "PROXY TCP6 ")
         + from.host().substr(0, from.host().find('%')) + ' '
         + to.host().substr(0, to.host().find('%')) + ' ' + std::to_string(from.port()) + ' '
         + std::to_string(to.port()) + "\r\n";
}

std::string proxy_header_v2(const proxy_header& header, bool checksum) {
  const auto& [from, to] = header;
  std::string block;
  char kind = 0;
  if (is_ip(from) && is_ip(to)) {
    const bool six = from.type() == net_address::kind::ipv6 || to.type() == net_address::kind::ipv6;
    kind = six ? 0x21 : 0x11;
    block = bytes_of(from, six) + bytes_of(to, six);
    put_number(block, from.port(), 2);
    put_number(block, to.port(), 2);
  } else if (from.type() == net_address::kind::unix_socket
             && to.type() == net_address::kind::unix_socket) {
    kind = 0x31;
    block = bytes_of_path(from) + bytes_of_path(to);
  }
  std::string bytes{proxy_signature};
  bytes += header.names_client() ? '\x21' : '\x20';
  bytes += kind;
  const std::size_t extension = checksum ? extension_head + 4 : 0;
  put_number(bytes, static_cast<std::uint32_t>(block.size() + extension), 2);
  bytes += block;
  if (checksum) {
    bytes.append("\3\0\4\0\0\0\0", extension);
    const auto sum = crc32c(bytes);
    bytes.resize(bytes.size() - 4);
    put_number(bytes, sum, 4);
  }
  return bytes;
}

} // namespace troupe
