#include <troupe/websocket/websocket_frame.hpp>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/random.h>

#include <troupe/websocket/detail/utf8_checker.hpp>

namespace troupe {

websocket_mask random_websocket_mask() {
  struct supply {
    std::array<std::uint8_t, 256> bytes;
    std::size_t used = 256;
  };
  thread_local supply mine;
  websocket_mask mask;
  if (mine.used + mask.size() > mine.bytes.size()) {
    std::size_t have = 0;
    while (have < mine.bytes.size()) {
      const auto got = ::getrandom(mine.bytes.data() + have, mine.bytes.size() - have, 0);
      if (got > 0)
        have += static_cast<std::size_t>(got);
      else if (errno != EINTR)
        throw std::system_error(errno, std::system_category(), "getrandom");
    }
    mine.used = 0;
  }
  std::memcpy(mask.data(), mine.bytes.data() + mine.used, mask.size());
  mine.used += mask.size();
  return mask;
}

void apply_websocket_mask(char* to, const char* from, std::size_t size, const websocket_mask& mask,
                          std::size_t phase) noexcept {
  std::array<std::uint8_t, 8> key;
  for (std::size_t i = 0; i < key.size(); ++i)
    key[i] = mask[(phase + i) % mask.size()];
  std::uint64_t key_word = 0;
  std::memcpy(&key_word, key.data(), sizeof key_word);
  std::size_t at = 0;
  for (std::array<std::uint64_t, 4> words; size - at >= sizeof words; at += sizeof words) {
    std::memcpy(words.data(), from + at, sizeof words);
    for (auto& word : words)
      word ^= key_word;
    std::memcpy(to + at, words.data(), sizeof words);
  }
  for (std::uint64_t word = 0; size - at >= sizeof word; at += sizeof word) {
    std::memcpy(&word, from + at, sizeof word);
    word ^= key_word;
    std::memcpy(to + at, &word, sizeof word);
  }
  for (std::size_t i = 0; at < size; ++at, ++i)
    to[at] = static_cast<char>(static_cast<std::uint8_t>(from[at]) ^ key[i]);
}

websocket_frame_head::websocket_frame_head(websocket_opcode opcode, std::uint64_t size,
                                           const websocket_mask* mask, bool final,
                                           bool compressed) noexcept {
  const auto put = [this](std::uint64_t byte) {
    bytes_[size_++] = static_cast<char>(byte & 0xff);
  };
  size_ = 0;
  put((final ? 0x80U : 0U) | (compressed ? 0x40U : 0U) | static_cast<unsigned>(opcode));
  const std::uint64_t masked = mask != nullptr ? 0x80 : 0;
  if (size < 126) {
    put(masked | size);
  } else if (size < 65536) {
    put(masked | 126);
    put(size >> 8);
    put(size);
  } else {
    put(masked | 127);
    for (int shift = 56; shift >= 0; shift -= 8)
      put(size >> shift);
  }
  if (mask != nullptr)
    for (const auto byte : *mask)
      put(byte);
}

shared_bytes make_websocket_frame(websocket_opcode opcode, std::string_view payload,
                                  bool compressed) {
  const websocket_frame_head head{opcode, payload.size(), nullptr, true, compressed};
  std::string frame;
  frame.reserve(head.view().size() + payload.size());
  (frame += head.view()) += payload;
  return shared_bytes{frame};
}

void append_websocket_frame(std::string& to, websocket_opcode opcode, std::string_view payload,
                            const websocket_mask& mask, bool final, bool compressed) {
  to += websocket_frame_head{opcode, payload.size(), &mask, final, compressed}.view();
  const auto at = to.size();
  to.resize(at + payload.size());
  apply_websocket_mask(to.data() + at, payload.data(), payload.size(), mask);
}

std::string_view fitting_close_reason(std::string_view reason) noexcept {
  constexpr std::size_t most = 123;
  if (reason.size() > most) {
    auto end = most;
    while (end > 0 && (static_cast<std::uint8_t>(reason[end]) & 0xc0) == 0x80)
      --end;
    reason = reason.substr(0, end);
  }
  return detail::is_utf8(reason) ? reason : std::string_view{};
}

} // namespace troupe
