#include <troupe/net/transport.hpp>

#include <array>
#include <vector>

#include <troupe/runtime/errc.hpp>

namespace troupe {

void transport::write_sequence(std::span<const bytes_view> pieces) {
  for (const auto piece : pieces)
    write(piece);
}

void transport::write_sequence(std::initializer_list<std::string_view> pieces) {
  std::array<bytes_view, 8> few;
  if (pieces.size() > few.size()) {
    std::vector<bytes_view> many;
    for (const auto piece : pieces)
      many.push_back(as_bytes(piece));
    return write_sequence(many);
  }
  std::size_t count = 0;
  for (const auto piece : pieces)
    few[count++] = as_bytes(piece);
  write_sequence({few.data(), count});
}

std::error_code transport::send_file_descriptor(file_descriptor) {
  return errc::not_supported;
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
