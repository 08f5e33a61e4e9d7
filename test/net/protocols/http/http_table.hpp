#pragma once

#include <cstddef>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// A row of a table of messages: what it comes to, and its bytes.
struct http_row {
  std::string line; // as it is in the table
  std::vector<int> statuses;
  std::string bytes;
};

namespace http_table {

inline std::string unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && text.find('*', i) != std::string_view::npos) { // {n*text}, also nested
      const auto star = text.find('*', i);
      std::size_t end = star;
      for (int depth = 1; depth > 0;) {
        ++end;
        depth += text.at(end) == '{' ? 1 : text[end] == '}' ? -1 : 0;
      }
      const auto inner = unescape(text.substr(star + 1, end - star - 1));
      for (auto n = std::stoul(std::string{text.substr(i + 1, star - i - 1)}); n > 0; --n)
        bytes += inner;
      i = end;
    } else if (text[i] != '\\') {
      bytes += text[i];
    } else {
      switch (text.at(++i)) {
      case 'r':
        bytes += '\r';
        break;
      case 'n':
        bytes += '\n';
        break;
      case 'R':
        bytes += "\r\n";
        break;
      case 't':
        bytes += '\t';
        break;
      case 'x':
        bytes += static_cast<char>(std::stoi(std::string{text.substr(i + 1, 2)}, nullptr, 16));
        i += 2;
        break;
      default:
        bytes += text[i];
      }
    }
  }
  return bytes;
}

} // namespace http_table

/// Reads the table of this name, beside this header.
inline std::vector<http_row> read_http_table(const std::string& name) {
  std::ifstream in{TROUPE_TEST_FOLDER "/tables/" + name};
  std::vector<http_row> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#')
      continue;
    const auto bar = line.find(" | ");
    if (bar == std::string::npos)
      throw std::runtime_error("no row: " + line);
    http_row row{line, {}, http_table::unescape(std::string_view{line}.substr(bar + 3))};
    std::istringstream statuses{line.substr(0, bar)};
    for (int status = 0; statuses >> status;)
      row.statuses.push_back(status);
    rows.push_back(std::move(row));
  }
  if (rows.empty())
    throw std::runtime_error("the table " + name + " is empty");
  return rows;
}

} // namespace troupe::testing
