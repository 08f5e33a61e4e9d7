#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <troupe/http/http_text.hpp>
#include <troupe/http_cookies/http_cookie_jar.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe;
  static http_cookie_jar jar{{.max_cookies = 4, .wall_clock = [] {
                                return 1'700'000'000;
                              }}};
  static const auto from = http_url::parse("https://www.example.co.uk/a/b");
  jar.clear();
  for (std::string_view rest{reinterpret_cast<const char*>(data), size}; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    jar.set_cookie(from, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (jar.size() > 4)
    std::abort();
  for (const auto& c : jar.all())
    if ((c.domain != "www.example.co.uk" && c.domain != "example.co.uk") || !c.path.starts_with('/')
        || c.name.empty())
      std::abort();
  for (const auto* to : {"https://www.example.co.uk/a/b/c", "http://x.example.co.uk/"})
    if (!is_http_field_value(jar.cookies_for(http_url::parse(to))))
      std::abort();
  for (const auto* to : {"https://example.com/", "https://co.uk/", "https://xexample.co.uk/a/b"})
    if (!jar.cookies_for(http_url::parse(to)).empty())
      std::abort();
  return 0;
}
