#include "http_gunzip.hpp"

#include <algorithm>
#include <new>

#include <zlib.h>

namespace troupe::detail {

namespace {
constexpr int gzip_and_window = 16 + MAX_WBITS;
}

struct http_gunzip::stream {
  stream() {
    if (inflateInit2(&z, gzip_and_window) != Z_OK)
      throw std::bad_alloc{};
  }
  ~stream() { inflateEnd(&z); }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  z_stream z{};
};

http_gunzip::http_gunzip() = default;
http_gunzip::~http_gunzip() = default;

bool http_gunzip::step(std::string_view& in, std::string& out, std::size_t room) {
  if (!stream_)
    stream_ = std::make_unique<stream>();
  auto& z = stream_->z;
  const auto before = out.size();
  const auto in_now = std::min<std::size_t>(in.size(), 1U << 20);
  out.resize(before + room);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data())); // which it does not change
  z.avail_in = static_cast<uInt>(in_now);
  z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
  z.avail_out = static_cast<uInt>(room);
  const auto result = inflate(&z, Z_NO_FLUSH);
  const auto taken = in_now - z.avail_in;
  const auto given = room - z.avail_out;
  out.resize(before + given);
  in.remove_prefix(taken);
  taken_ += taken;
  given_ += given;
  full_ = z.avail_out == 0;
  if (taken > 0)
    between_ = false;
  if (result == Z_STREAM_END) {
    between_ = true;
    full_ = false;
    inflateReset(&z);
    return !too_much();
  }
  const bool stuck = taken == 0 && given == 0 && !in.empty();
  return (result == Z_OK || result == Z_BUF_ERROR) && !stuck && !too_much();
}

} // namespace troupe::detail
