#include "http_brotli.hpp"

#ifdef TROUPE_BROTLI

#include <algorithm>
#include <bit>
#include <new>

#include <brotli/decode.h>
#include <brotli/encode.h>

namespace troupe::detail {

namespace {

class http_unbrotli final : public http_unpacker {
public:
  bool step(std::string_view& in, std::string& out, std::size_t room) override {
    if (ended_)
      return in.empty(); // nothing may follow
    if (!state_)
      state_.reset(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr));
    if (!state_)
      throw std::bad_alloc{};
    const auto before = out.size();
    const auto in_now = std::min<std::size_t>(in.size(), 1U << 20);
    out.resize(before + room);
    std::size_t left = in_now;
    std::size_t free = room;
    const auto* next = reinterpret_cast<const std::uint8_t*>(in.data());
    auto* to = reinterpret_cast<std::uint8_t*>(out.data() + before);
    const auto result =
      BrotliDecoderDecompressStream(state_.get(), &left, &next, &free, &to, nullptr);
    out.resize(before + room - free);
    in.remove_prefix(in_now - left);
    taken_ += in_now - left;
    given_ += room - free;
    begun_ = begun_ || in_now > left;
    ended_ = result == BROTLI_DECODER_RESULT_SUCCESS;
    full_ = result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    return result != BROTLI_DECODER_RESULT_ERROR && !too_much();
  }

  bool whole() const noexcept override { return ended_ || !begun_; }

private:
  struct deleter {
    void operator()(BrotliDecoderState* s) const noexcept { BrotliDecoderDestroyInstance(s); }
  };
  std::unique_ptr<BrotliDecoderState, deleter> state_;
  bool begun_ = false;
  bool ended_ = false;
};

} // namespace

bool has_brotli() noexcept {
  return true;
}

std::unique_ptr<http_unpacker> make_http_unbrotli() {
  return std::make_unique<http_unbrotli>();
}

std::optional<std::string> packed_with_brotli(std::string_view text, int level) {
  std::string out(text.size(), '\0');
  auto size = out.size();
  const int window =
    std::clamp(static_cast<int>(std::bit_width(text.size())), BROTLI_MIN_WINDOW_BITS, 18);
  if (BrotliEncoderCompress(level, window, BROTLI_MODE_TEXT, text.size(),
                            reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                            reinterpret_cast<std::uint8_t*>(out.data()))
      == BROTLI_FALSE)
    return {};
  out.resize(size);
  return out;
}

} // namespace troupe::detail

#else

namespace troupe::detail {

bool has_brotli() noexcept {
  return false;
}

std::unique_ptr<http_unpacker> make_http_unbrotli() {
  return nullptr;
}

std::optional<std::string> packed_with_brotli(std::string_view, int) {
  return {};
}

} // namespace troupe::detail

#endif
