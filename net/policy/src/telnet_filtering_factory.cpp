#include <troupe/net/telnet_filtering_factory.hpp>

namespace troupe {

void telnet_filtering_protocol::data_received(bytes_view data) {
  std::string copy;
  std::string answer;
  const auto text = filter_.filter(data, copy, answer);
  if (!answer.empty())
    inner().write(as_bytes(answer));
  if (!text.empty())
    protocol_wrapper::data_received(text);
}

std::unique_ptr<protocol_wrapper> telnet_filtering_factory::make_wrapper() {
  return std::make_unique<telnet_filtering_protocol>();
}

} // namespace troupe
