#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_multipart_parser.hpp>
#include <troupe/testing/split_feed.hpp>

namespace troupe::testing {

/// Returns what the parts of a form come to: the name, with the file's name and the type in brackets; "=" and the
/// data of it, with a dot once it is whole; "end"; "refused 400 why".
inline std::vector<std::string> multipart_events(const split_input& input,
                                                 std::string_view boundary,
                                                 const http_multipart_limits& limits = {}) {
  http_multipart_parser parser{boundary, limits};
  std::vector<std::string> events;
  input.feed([&](std::string_view in) {
    for (;;)
      switch (parser.next(in)) {
      case http_multipart_parser::event::more:
        return in.empty();
      case http_multipart_parser::event::part: {
        auto line = parser.name();
        if (parser.filename())
          line += " file[" + *parser.filename() + ']';
        if (!parser.content_type().empty())
          line += " type[" + parser.content_type() + ']';
        events.push_back(std::move(line));
        events.emplace_back("=");
        break;
      }
      case http_multipart_parser::event::data:
        if (parser.data().empty())
          events.emplace_back("a piece without data");
        events.back() += parser.data();
        break;
      case http_multipart_parser::event::part_end:
        events.back() += '.';
        break;
      case http_multipart_parser::event::end:
        events.emplace_back("end");
        break;
      case http_multipart_parser::event::refused:
        events.push_back("refused " + std::to_string(parser.status()) + ' ' + parser.reason());
        return false;
      }
  });
  return events;
}

} // namespace troupe::testing
