#include <troupe/telnet/error.hpp>

#include <string>

namespace troupe {

namespace {

class category final : public std::error_category {
public:
  const char* name() const noexcept override { return "telnet"; }
  std::string message(int code) const override {
    switch (static_cast<telnet_errc>(code)) {
    case telnet_errc::option_refused:
      return "the peer refuses the option";
    case telnet_errc::already_negotiating:
      return "the option is being negotiated already";
    case telnet_errc::already_enabled:
      return "the option is on already";
    case telnet_errc::already_disabled:
      return "the option is off already";
    case telnet_errc::superseded:
      return "the opposite was asked for";
    }
    return "unknown error of telnet";
  }
};

} // namespace

const std::error_category& telnet_category() noexcept {
  static const category the_category;
  return the_category;
}

} // namespace troupe
