#include <troupe/basic/socks_message.hpp>

#include "../splits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  using status = socks_client_parser::status;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  for (const std::uint8_t version : {4, 5}) {
    fuzz::same_for_splits(input, [&](const testing::split_input& split) {
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
    });
  }
  return 0;
}
