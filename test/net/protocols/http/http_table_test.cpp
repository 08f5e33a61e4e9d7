#include <troupe/testing/split_feed.hpp>

#include "http_exchange.hpp"
#include "http_table.hpp"
#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("each row of the table of requests gets its answers, however it is cut") {
  for (const auto& row : testing::read_http_table("requests.txt")) {
    CAPTURE(row.line);
    for (const std::size_t size : {row.bytes.size(), std::size_t{1}, std::size_t{7}}) {
      CAPTURE(size);
      testing::http_exchange t{testing::table_handler()};
      t.deliver_in_pieces(row.bytes, size);
      t.settle(2);
      CHECK(t.statuses() == row.statuses);
      if (row.statuses.back() >= 400 && row.statuses.back() != 404 && row.statuses.back() != 405)
        CHECK(t.closing());
    }
  }
}

TEST_CASE("the parser finds the same in every split of each row of the table") {
  for (const auto& row : testing::read_http_table("requests.txt")) {
    CAPTURE(row.line);
    const auto difference = testing::split_difference(
      row.bytes,
      [](const testing::split_input& split) {
        std::vector<std::string> events{""};
        http_request_parser parser;
        split.feed([&](std::string_view in) {
          for (;;)
            switch (parser.next(in)) {
            case http_request_parser::event::more:
              return true;
            case http_request_parser::event::head:
              events.push_back("head " + std::string{parser.head().method()} + ' '
                               + std::string{parser.head().target()} + ' '
                               + std::to_string(parser.head().fields().size()));
              events.emplace_back();
              break;
            case http_request_parser::event::body:
              events.back() += parser.body();
              break;
            case http_request_parser::event::end:
              events.push_back("end " + std::to_string(parser.trailers().size()));
              break;
            case http_request_parser::event::refused:
              // In one piece, what is wrong further behind may be seen first.
              events.push_back("refused");
              return false;
            }
        });
        return events;
      },
      {.all_ways = 0, .all_pairs = 0, .all_places = 150, .random = 5});
    CHECK(difference == "");
  }
}
