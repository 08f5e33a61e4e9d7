#include <cstdlib>
#include <string>
#include <string_view>

#include <troupe/irc/ctcp.hpp>
#include <troupe/irc/formatting.hpp>
#include <troupe/irc/isupport.hpp>
#include <troupe/irc/split_text.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe::irc;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto clean = clean_text(text);
  const auto pieces = parse_formatting(text);
  const auto assembled = parse_formatting(assemble_formatting(pieces));
  std::string joined;
  for (const auto& piece : pieces)
    joined += piece.text;
  bool good = clean_text(clean) == clean && clean.find('\x1b') == std::string::npos
              && assembled == pieces && joined == strip_formatting(text)
              && low_dequote(low_quote(text)) == text;
  for (const auto piece : split_text(text, 9))
    good = good && !piece.empty() && piece.size() <= 9;
  for (const auto& request : ctcp_extract(text).requests)
    good = good && (request.tag.empty() || !ctcp_extract(ctcp_string(request)).requests.empty());
  isupport features;
  (void)features.take(text);
  (void)features.limits(text.substr(0, text.find('=')));
  if (!good)
    std::abort();
  return 0;
}
