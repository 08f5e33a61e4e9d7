#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/http/http_response_parser.hpp>
#include <troupe/testing/split_feed.hpp>

// Whatever comes: the same events for every split, heads within their limits, and never both lengths. The
// first byte says what was asked.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::http_response_parser;
  if (size == 0)
    return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  const char* const method = data[0] == 'H' ? "HEAD" : data[0] == 'C' ? "CONNECT" : "GET";
  const auto difference = troupe::testing::split_difference(
    input,
    [&](const troupe::testing::split_input& split) {
      std::vector<std::string> events{""};
      http_response_parser parser{{.head = 600, .fields = 8, .chunk_line = 60}};
      parser.begin(method);
      bool over = false;
      split.feed([&](std::string_view in) {
        for (;;)
          switch (parser.next(in)) {
          case http_response_parser::event::more:
            if (!in.empty())
              std::abort();
            return true;
          case http_response_parser::event::informational:
            if (parser.head().status() / 100 != 1)
              std::abort();
            events.emplace_back("informational");
            break;
          case http_response_parser::event::head: {
            const auto& head = parser.head();
            if (head.status() < 100 || head.status() > 599 || head.fields().size() > 8
                || (head.chunked() && head.field("Content-Length"))
                || (head.until_close() && (head.chunked() || head.keep_alive())))
              std::abort();
            std::string event = std::to_string(head.status());
            for (std::size_t i = 0; i < head.fields().size(); ++i)
              (((event += '\n') += head.fields().name(i)) += ':') += head.fields().value(i);
            events.push_back(std::move(event));
            events.emplace_back();
            break;
          }
          case http_response_parser::event::body:
            if (parser.body().empty())
              std::abort();
            events.back() += parser.body();
            break;
          case http_response_parser::event::end:
            events.push_back("end " + std::to_string(parser.trailers().size()));
            over = true;
            return false;
          case http_response_parser::event::refused:
            if (*parser.reason() == 0)
              std::abort();
            events.emplace_back("refused");
            over = true;
            return false;
          }
      });
      if (!over)
        events.emplace_back(parser.finish() == http_response_parser::event::end ? "ended" : "cut");
      return events;
    },
    {.all_ways = 0, .all_pairs = 0, .all_places = 20, .random = 3});
  if (!difference.empty()) {
    std::fprintf(stderr, "%s\n", difference.c_str());
    std::abort();
  }
  return 0;
}
