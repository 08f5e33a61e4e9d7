#include "file_ranges.hpp"

#include <troupe/http/http_date.hpp>
#include <troupe/http/http_text.hpp>

#include "support/catch.hpp"

using namespace troupe;
using troupe::detail::file_range;
using troupe::detail::parse_ranges;
using ranges = std::vector<file_range>;

TEST_CASE("ranges are read as RFC 9110 means them") {
  CHECK(parse_ranges("bytes=0-9", 100) == ranges{{0, 10}});
  CHECK(parse_ranges("Bytes=0-9", 100) == ranges{{0, 10}});
  CHECK(parse_ranges("bytes=90-", 100) == ranges{{90, 10}});
  CHECK(parse_ranges("bytes=90-1000", 100) == ranges{{90, 10}});
  CHECK(parse_ranges("bytes=-10", 100) == ranges{{90, 10}});
  CHECK(parse_ranges("bytes=-1000", 100) == ranges{{0, 100}});
  CHECK(parse_ranges("bytes=50-59, 0-9", 100) == ranges{{50, 10}, {0, 10}});
  CHECK(parse_ranges("bytes=99-99999999999999999999999", 100) == ranges{{99, 1}});
}

TEST_CASE("ranges that are not in the file are left out; if there is no other it is 416") {
  CHECK(parse_ranges("bytes=0-9, 100-", 100) == ranges{{0, 10}});
  CHECK(parse_ranges("bytes=100-", 100) == ranges{});
  CHECK(parse_ranges("bytes=-0", 100) == ranges{});
  CHECK(parse_ranges("bytes=0-", 0) == ranges{});
}

TEST_CASE("a field that makes no sense, or asks for too much, is ignored") {
  for (const std::string_view field :
       {"", "bytes", "bytes=", "bytes=,", "bytes=a-b", "bytes=5-4", "bytes=1", "bytes=-",
        "lines=0-1", "bytes=0-1-2", "bytes=+0-1", "bytes=0x0-1", "bytes=0-9,5-14", "bytes=0-,0-",
        "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20"})
    CHECK(parse_ranges(field, 100) == std::nullopt);
}

TEST_CASE("a date is read in its three forms, and written in one") {
  const std::time_t at = 784111777;
  const std::time_t now = 1'700'000'000; // 2023
  CHECK(format_http_date(at) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", now) == at);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now) == at);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", now) == at);
  CHECK(parse_http_date("Friday, 06-Nov-73 08:49:37 GMT", now) > now);
  CHECK(parse_http_date("Tuesday, 06-Nov-74 08:49:37 GMT", now) < now);
  for (const std::string_view text :
       {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun Nov 6 08:49:37 1994x"})
    CHECK(parse_http_date(text, now) == std::nullopt);
}

TEST_CASE("lists are split at commas outside of quotation marks") {
  std::string_view list = R"( a , "b,\",c" ,, d)";
  std::string_view element;
  CHECK((next_http_element(list, element) && element == "a"));
  CHECK((next_http_element(list, element) && element == R"("b,\",c")"));
  CHECK((next_http_element(list, element) && element == "d"));
  CHECK_FALSE(next_http_element(list, element));
  CHECK(percent_decode("a%2Fb+c") == "a/b+c");
  CHECK(percent_decode("a%2Fb+c", true) == "a/b c");
  CHECK(percent_decode("%") == std::nullopt);
  CHECK(percent_encode("a b/\xe4", "/") == "a%20b/%E4");
  CHECK(html_escape("<a href='x'>&") == "&lt;a href=&#39;x&#39;&gt;&amp;");
}
