#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/basic/socks_message.hpp>
#include <troupe/testing/split_feed.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  using status = socks_client_parser::status;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  for (const std::uint8_t version : {4, 5}) {
    const auto difference = testing::split_difference(
      input,
      [&](const testing::split_input& split) {
        std::string events;
        socks_client_parser parser{{.version = version, .user = "u", .password = "p"},
                                   {net_address::kind::host_name, "example.org", 80}};
        bool over = false;
        split.feed([&](std::string_view piece) {
          while (!over) {
            const auto s = parser.next(piece);
            if (s == status::more)
              return;
            events += static_cast<char>('0' + static_cast<int>(s));
            over = s != status::send;
            if (events.size() > 4)
              std::abort();
            if (over)
              events += to_string(parser.reply());
          }
          events += piece;
        });
        return events;
      },
      {.all_ways = 6, .all_pairs = 0, .all_places = 30, .random = 3});
    if (!difference.empty()) {
      std::fprintf(stderr, "%s\n", difference.c_str());
      std::abort();
    }
  }
  return 0;
}
