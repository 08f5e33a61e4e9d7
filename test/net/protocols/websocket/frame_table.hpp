#pragma once

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/websocket/websocket_frame.hpp>
#include <troupe/websocket/websocket_parser.hpp>

namespace troupe::testing {

/// A row of a table of frames.
struct frame_row {
  std::string line;
  std::vector<std::string> events;
  std::string bytes;
};

namespace frame_table {

inline std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '{') { // {n*text}
      const auto star = text.find('*', i);
      const auto end = text.find('}', i);
      const auto inner = unescape(text.substr(star + 1, end - star - 1));
      for (auto n = std::stoul(std::string{text.substr(i + 1, star - i - 1)}); n > 0; --n)
        bytes += inner;
      i = end;
    } else if (text[i] == '\\' && text.at(i + 1) == 'x') {
      bytes += static_cast<char>(std::stoi(std::string{text.substr(i + 2, 2)}, nullptr, 16));
      i += 3;
    } else {
      bytes += text[i];
    }
  return bytes;
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2))
    bytes += static_cast<char>(std::stoi(std::string{hex.substr(0, 2)}, nullptr, 16));
  return bytes;
}

// Takes one frame off the front of `text`.
inline std::string frame(std::string_view& text, bool from_client) {
  const auto rest_behind = [&](std::size_t n) {
    text.remove_prefix(std::min(n, text.size()));
  };
  if (text.starts_with("raw")) {
    const auto end = std::min(text.find(' '), text.size());
    auto bytes = from_hex(text.substr(3, end - 3));
    rest_behind(end + 1);
    return bytes;
  }
  const auto quote = text.find('"');
  const auto end = text.find('"', quote + 1);
  const auto first = from_hex(text.substr(0, 2));
  const auto told = text[2] == ':' ? from_hex(text.substr(3, quote - 3)) : std::string{};
  auto payload = unescape(text.substr(quote + 1, end - quote - 1));
  const bool otherwise = text.size() > end + 1 && text[end + 1] == '!';
  rest_behind(end + (otherwise ? 3 : 2));
  auto head =
    std::string{websocket_frame_head{websocket_opcode::text, payload.size()}.view().substr(1)};
  if (!told.empty())
    head = told;
  if (from_client != otherwise) {
    const websocket_mask mask{0x37, 0xfa, 0x21, 0x3d};
    head[0] = static_cast<char>(head[0] | 0x80);
    for (const auto byte : mask)
      head += static_cast<char>(byte);
    apply_websocket_mask(payload.data(), payload.data(), payload.size(), mask);
  }
  return first + head + payload;
}

} // namespace frame_table

/// Reads the table, with the frames as a client sends them, or as a server does.
inline std::vector<frame_row> read_frame_table(const std::string& path, bool from_client) {
  std::ifstream file{path};
  if (!file)
    throw std::runtime_error("no table: " + path);
  std::vector<frame_row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    const auto bar = line.find(" | ");
    frame_row row{line, {}, {}};
    std::string_view events{line.data(), bar};
    while (!events.empty()) {
      const auto end = std::min(events.find("; "), events.size());
      row.events.push_back(frame_table::unescape(events.substr(0, end)));
      events.remove_prefix(std::min(end + 2, events.size()));
    }
    std::string_view frames{line};
    for (frames.remove_prefix(bar + 3); !frames.empty();)
      row.bytes += frame_table::frame(frames, from_client);
    rows.push_back(std::move(row));
  }
  return rows;
}

} // namespace troupe::testing
