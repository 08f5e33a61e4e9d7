#include <troupe/net/host_name.hpp>

#include <algorithm>
#include <memory>

#ifdef TROUPE_IDN2
#include <idn2.h>
#endif

namespace troupe {

namespace {

#ifdef TROUPE_IDN2
// A sign such as U+2100 is mapped to "a/c": what a name becomes must not end it.
bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
         || c == '.' || c == '_';
}
#endif

// For a log; names that are not UTF-8 are what it is mostly about.
std::string quoted_name(std::string_view name) {
  std::string text = "\"";
  for (const char c : name.substr(0, 255))
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text += '"';
}

} // namespace

outcome<std::string> ascii_host_name(std::string_view name) {
  if (std::all_of(name.begin(), name.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return std::string{name};
#ifdef TROUPE_IDN2
  const std::string text{name};
  if (text.size() > 1000 || text.find('\0') != std::string::npos)
    return failure{errc::invalid_address, quoted_name(name) + " cannot be the name of a host"};
  char* made = nullptr;
  const int result = ::idn2_to_ascii_8z(text.c_str(), &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owned{made, &::idn2_free};
  if (result != IDN2_OK)
    return failure{errc::invalid_address,
                   quoted_name(name) + " cannot be the name of a host: " + ::idn2_strerror(result)};
  std::string ascii = made;
  if (ascii.empty() || !std::all_of(ascii.begin(), ascii.end(), is_host_character)
      || ascii.starts_with('.') || ascii.find("..") != std::string::npos)
    return failure{errc::invalid_address, quoted_name(name) + " cannot be the name of a host"};
  return ascii;
#else
  return failure{errc::not_supported,
                 quoted_name(name) + " is not ASCII, and this build has no libidn2; write xn--..."};
#endif
}

} // namespace troupe
