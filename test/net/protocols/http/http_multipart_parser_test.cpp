#include <troupe/http/http_multipart_parser.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include "multipart_events.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

strings events_of(const split_input& input, const http_multipart_limits& limits = {}) {
  return multipart_events(input, "xyz", limits);
}

strings events_of(const std::string& input, const http_multipart_limits& limits = {}) {
  return events_of(split_input{input, {}}, limits);
}

// The events of a part with this head, which ends with an empty line.
strings of_head(const std::string& head) {
  return events_of("--xyz\r\n" + head + "v\r\n--xyz--\r\n");
}

std::string part(const std::string& name, const std::string& value) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

} // namespace

TEST_CASE("a form comes to its parts, however it is cut") {
  const std::string form =
    "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
    "--xyz \t\r\ncontent-type: text/plain\r\n"
    "CONTENT-DISPOSITION:form-data;name=f; filename=\"a \\\"b\\\\ c:\\d.txt\" \r\n\r\n"
    "\r\n--xy\r\r\n--xyZ\r\n\r\n--xyz\r\n"
    "Content-Disposition: form-data; name=\"\"; filename=\"\"\r\nX-Other: 1\r\n\r\n\r\n"
    "--xyz--\r\nand more\r\n--xyz\r\n";
  const strings expected{"a",
                         "=1.",
                         "f file[a \"b\\ c:\\d.txt] type[text/plain]",
                         "=\r\n--xy\r\r\n--xyZ\r\n.",
                         " file[]",
                         "=.",
                         "end"};
  CHECK(events_of(form) == expected);
  CHECK(split_difference(form, [](const split_input& i) { return events_of(i); },
                         {.all_ways = 0, .all_pairs = 400, .random = 200})
        == "");
  CHECK(events_of("\r\n" + form) == expected);
  for (const auto& begin : {"\r\n--xyz--", "--xyz--", "--xyz--\r\n"}) {
    INFO(begin);
    CHECK(events_of(begin) == strings{"end"});
  }
}

TEST_CASE("what begins like a boundary within data is data, however it is cut") {
  for (const std::string value :
       {"\r", "\n", "\r\n", "\r\n-", "\r\n--xy", "\r\r\n--x", "\r\n\r\n--xy\r\n--", "--xyz"}) {
    const auto form = part("a", value) + "--xyz--";
    INFO(show_bytes(form));
    CHECK(events_of(form) == strings{"a", "=" + value + ".", "end"});
    CHECK(split_difference(form, [](const split_input& i) { return events_of(i); }) == "");
  }
}

TEST_CASE("what two programs could read in two ways is refused") {
  const std::string disposition = "Content-Disposition: form-data; name=\"a\"\r\n";
  for (const std::string& head : {
         std::string{"\r\n"}, // no name
         std::string{"Content-Type: text/plain\r\n\r\n"},
         std::string{"Content-Disposition: form-data\r\n\r\n"},
         std::string{"Content-Disposition: form-data; filename=\"a\"\r\n\r\n"},
         std::string{"Content-Disposition: attachment; name=\"a\"\r\n\r\n"},
         disposition + disposition + "\r\n",
         std::string{"Content-Disposition: form-data; name=a; name=b\r\n\r\n"},
         std::string{"Content-Disposition: form-data; name=a; filename=b; filename=c\r\n\r\n"},
         std::string{"Content-Disposition: form-data; name=\"a\r\n\r\n"},
         std::string{"Content-Disposition: form-data; name=a b\r\n\r\n"},
         std::string{"Content-Disposition: form-data; name\r\n\r\n"},
         std::string{"Content-Disposition: form-data;\r\n name=a\r\n\r\n"}, // folded
         disposition + "Content-Type: a\r\nContent-Type: b\r\n\r\n",
         disposition + "Content-Transfer-Encoding: base64\r\n\r\n",
         disposition + "nonsense\r\n\r\n",
         disposition + "X : 1\r\n\r\n",
         disposition + "X: \r1\r\n\r\n",
         disposition + "X: 1\n\r\n\r\n\r\n",
         disposition + std::string("X: \0\r\n\r\n", 8),
       }) {
    INFO(show_bytes(head));
    const auto events = of_head(head);
    REQUIRE(events.size() == 1);
    CHECK(events[0].starts_with("refused 400"));
    CHECK(split_difference("--xyz\r\n" + head + "v\r\n--xyz--",
                           [](const split_input& i) { return events_of(i); },
                           {.all_ways = 0, .all_pairs = 0})
          == "");
  }
  for (const std::string form : {"x--xyz", "-xyz", "\r\n\r\n--xyz--", "\n--xyz--", "--xyz\n",
                                 "--xyzz\r\n", "--xyz-\r\n", "--xyz -- ", "--xyz\rx"}) {
    INFO(show_bytes(form));
    CHECK(events_of(form).back().starts_with("refused 400"));
    CHECK(split_difference(form, [](const split_input& i) { return events_of(i); }) == "");
  }
  CHECK(events_of(part("a", "1") + "--xyzz\r\n").back().starts_with("refused 400"));
}

TEST_CASE("a form has limits, and what is at them passes") {
  const auto three = part("a", "1") + part("b", "2") + part("c", "3") + "--xyz--";
  CHECK(events_of(three, {.parts = 3}).back() == "end");
  CHECK(events_of(three, {.parts = 2}).back() == "refused 413 there are too many parts");
  const auto named = [](std::size_t size) {
    return part(std::string(size, 'n'), "") + "--xyz--";
  };
  CHECK(events_of(named(10), {.name = 10}).back() == "end");
  CHECK(events_of(named(11), {.name = 10}).back() == "refused 400 the name of a part is too long");
  const auto size = std::string{"Content-Disposition: form-data; name=\"a\"\r\n\r\n"}.size();
  CHECK(events_of(part("a", "1") + "--xyz--", {.head = size}).back() == "end");
  CHECK(events_of(part("a", "1") + "--xyz--", {.head = size - 1}).back()
        == "refused 431 the head of a part is too long");
  // A head without an end is refused where it gets too long, and not later.
  CHECK(events_of("--xyz\r\n" + std::string(101, 'x'), {.head = 100}).back()
        == "refused 431 the head of a part is too long");
  CHECK(events_of("--xyz" + std::string(64, ' ') + "\r\n").empty());
  CHECK(events_of("--xyz" + std::string(65, ' ')).back().starts_with("refused 400"));
}

TEST_CASE("a form that is cut off is not whole") {
  const auto form = part("a", "1") + "--xyz--";
  for (std::size_t size = 0; size <= form.size(); ++size) {
    http_multipart_parser parser{"xyz"};
    std::string_view in = std::string_view{form}.substr(0, size);
    while (parser.next(in) != http_multipart_parser::event::more) {
    }
    CHECK(parser.ended() == (size == form.size()));
  }
}

TEST_CASE("the boundary is what Content-Type says, if it can be one") {
  const auto of = [](std::string_view type) {
    return http_multipart_parser::boundary_of(type).value_or("none");
  };
  CHECK(of("multipart/form-data; boundary=xyz") == "xyz");
  CHECK(of("Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"a b'()+_,-./:=?\" ")
        == "a b'()+_,-./:=?");
  CHECK(of("multipart/form-data; boundary=----WebKitFormBoundaryABC")
        == "----WebKitFormBoundaryABC");
  CHECK(of("multipart/form-data; boundary=" + std::string(70, 'x')).size() == 70);
  for (const std::string bad :
       {"", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"", "multipart/form-data; boundary=\"x \"",
        "multipart/form-data; boundary=a; boundary=a", "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a\rb\"", "multipart/form-data boundary=a",
        "multipart/form-data; "
        "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    INFO(bad);
    CHECK(of(bad) == "none");
  }
  CHECK_THROWS_AS(http_multipart_parser{""}, std::invalid_argument);
  CHECK_THROWS_AS(http_multipart_parser{"a\r\nb"}, std::invalid_argument);
}
