#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/http/http_request_parser.hpp>
#include <troupe/testing/split_feed.hpp>

// Whatever comes: the same events for every split, heads within their limits, and never both lengths.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::http_request_parser;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto difference = troupe::testing::split_difference(
    input,
    [&](const troupe::testing::split_input& split) {
      std::vector<std::string> events{""};
      http_request_parser parser{{.head = 600, .fields = 8, .target = 100, .chunk_line = 60}};
      split.feed([&](std::string_view in) {
        for (;;)
          switch (parser.next(in)) {
          case http_request_parser::event::more:
            return true;
          case http_request_parser::event::head: {
            const auto& head = parser.head();
            if (head.target().empty() || head.target().size() > 100 || head.fields().size() > 8
                || head.path().empty() || (head.chunked() && head.field("Content-Length"))
                || (head.minor_version() == 1 && !head.field("Host")))
              std::abort();
            std::string event{head.method()};
            (event += ' ') += head.target();
            for (std::size_t i = 0; i < head.fields().size(); ++i)
              (((event += '\n') += head.fields().name(i)) += ':') += head.fields().value(i);
            events.push_back(std::move(event));
            events.emplace_back();
            break;
          }
          case http_request_parser::event::body:
            if (parser.body().empty())
              std::abort();
            events.back() += parser.body();
            break;
          case http_request_parser::event::end:
            events.push_back("end " + std::to_string(parser.trailers().size()));
            break;
          case http_request_parser::event::refused:
            if (parser.status() < 400 || *parser.reason() == 0)
              std::abort();
            events.emplace_back("refused");
            return false;
          }
      });
      return events;
    },
    {.all_ways = 0, .all_pairs = 0, .all_places = 20, .random = 3});
  if (!difference.empty()) {
    std::fprintf(stderr, "%s\n", difference.c_str());
    std::abort();
  }
  return 0;
}
