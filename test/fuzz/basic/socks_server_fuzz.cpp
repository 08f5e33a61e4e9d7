#include <troupe/basic/socks_message.hpp>

#include "../splits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  using status = socks_server_parser::status;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  fuzz::same_for_splits(input, [](const testing::split_input& split) {
    std::string events;
    socks_server_parser parser;
    bool over = false;
    split.feed([&](std::string_view piece) {
      while (!over) {
        const auto s = parser.next(piece);
        if (s == status::more)
          return;
        events += static_cast<char>('0' + static_cast<int>(s));
        over = s == status::request || s == status::failed;
        if (s == status::methods)
          parser.choose(parser.offers(socks_method::password) ? socks_method::password
                                                              : socks_method::none);
        if (s == status::credentials)
          events += parser.user() + ' ' + parser.password();
        if (s == status::request)
          events += parser.request().target.to_string() + ' ' + parser.request().user;
        if (s == status::failed)
          events += to_string(parser.error());
        if (parser.request().target.host().size() > socks_server_parser::max_text
            || parser.user().size() > socks_server_parser::max_text)
          std::abort();
      }
      events += piece;
    });
    return events;
  });
  return 0;
}
