#include <troupe/net/transport.hpp>

namespace troupe {

void transport::write_sequence(std::span<const bytes_view> pieces) {
  for (const auto piece : pieces)
    write(piece);
}

void transport::write_sequence(std::initializer_list<std::string_view> pieces) {
  for (const auto piece : pieces)
    write(as_bytes(piece));
}

void transport::set_tcp_no_delay(bool) {}

bool transport::get_tcp_no_delay() const {
  return false;
}

void transport::set_tcp_keep_alive(bool) {}

bool transport::get_tcp_keep_alive() const {
  return false;
}

} // namespace troupe
