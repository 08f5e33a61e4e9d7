// Telnet sessions: the same for every split, no more answers than requests, and memory that is bounded.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <troupe/telnet/session.hpp>
#include <troupe/telnet/subnegotiation.hpp>

namespace {

class session : public troupe::telnet_session {
public:
  using telnet_session::telnet_session;
  std::string log, sent;

protected:
  void send_bytes(std::string_view bytes) override { sent += bytes; }
  void text_received(std::string_view text) override {
    if (text.empty())
      std::abort();
    log += text;
  }
  void command_received(troupe::telnet_command c) override {
    log += "[" + std::to_string(int(c)) + "]";
  }
  bool agrees(troupe::telnet_side, troupe::telnet_option o) override {
    return (static_cast<int>(o) & 1) == 0;
  }
  void option_changed(troupe::telnet_side side, troupe::telnet_option o, bool on) override {
    if (enabled(side, o) != on)
      std::abort();
  }
  void subnegotiation_received(troupe::telnet_option o, std::string_view data) override {
    if (data.size() > 4096)
      std::abort();
    log += "(" + std::to_string(int(o)) + std::string{data} + ")";
    (void)troupe::parse_window_size(data);
    (void)troupe::parse_linemode(data);
    const auto name = troupe::parse_terminal_type(data);
    if (name && (name->empty() || name->size() > 40))
      std::abort();
    if (troupe::parse_charset(data).names.size() > 32)
      std::abort();
    for (const auto& [key, value] : troupe::parse_environment(data, {"LANG"}))
      if (key != "LANG" || value.starts_with('-'))
        std::abort();
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const auto ends = static_cast<troupe::telnet_line_ends>(data[0] % 3);
  const auto input = std::string_view{reinterpret_cast<const char*>(data), size}.substr(1);
  session whole{ends}, pieces{ends};
  (void)whole.will(troupe::telnet_option::echo);
  (void)pieces.will(troupe::telnet_option::echo);
  whole.bytes_received(troupe::as_bytes(input));
  std::size_t step = data[0];
  for (std::size_t at = 0; at < input.size();) {
    step = step * 31 + 7;
    const auto length = 1 + step % 5;
    pieces.bytes_received(troupe::as_bytes(input.substr(at, length)));
    at += length;
  }
  if (whole.log != pieces.log || whole.sent != pieces.sent)
    std::abort();
  if (whole.sent.size() > input.size() + 3) // an answer is as long as its request
    std::abort();
  return 0;
}
