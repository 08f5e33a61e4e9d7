#include "websocket_deflater.hpp"

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>

#include <zlib.h>

namespace troupe::detail {

namespace {

constexpr int least_bits = 9; // zlib makes 9 of 8
constexpr std::size_t size_of_tail = 4;

// Longer messages are packed with the least effort: 20 ms for 1 MiB of whatever somebody chose, instead of
// 100 ms and more.
constexpr std::size_t longest_with_effort = 32 * 1024;

struct deflater {
  explicit deflater(int bits) {
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc{};
  }
  ~deflater() { deflateEnd(&z); }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
  void set_level(int to) {
    if (level != to)
      deflateParams(&z, level = to, Z_DEFAULT_STRATEGY);
  }
  z_stream z{};
  int level = Z_DEFAULT_COMPRESSION;
};

deflater& deflater_of_this_thread(int bits) {
  thread_local std::array<std::unique_ptr<deflater>, MAX_WBITS - least_bits + 1> all;
  auto& d = all.at(static_cast<std::size_t>(bits - least_bits));
  if (!d)
    d = std::make_unique<deflater>(bits);
  else
    deflateReset(&d->z);
  return *d;
}

} // namespace

std::optional<std::string> deflate_message(std::string_view message, int window_bits) {
  if (message.size() > std::numeric_limits<uInt>::max())
    return {};
  auto& d = deflater_of_this_thread(window_bits);
  d.set_level(message.size() > longest_with_effort ? Z_BEST_SPEED : Z_DEFAULT_COMPRESSION);
  auto& z = d.z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data())); // which it leaves alone
  z.avail_in = static_cast<uInt>(message.size());
  std::string packed;
  std::array<char, 4096> out;
  do {
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_SYNC_FLUSH);
    packed.append(out.data(), out.size() - z.avail_out);
    if (packed.size() >= message.size() + size_of_tail)
      return {};
  } while (z.avail_out == 0);
  packed.resize(packed.size() - size_of_tail);
  return packed;
}

} // namespace troupe::detail
