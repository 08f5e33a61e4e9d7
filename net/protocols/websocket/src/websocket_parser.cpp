#include <troupe/websocket/websocket_parser.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "websocket_inflater.hpp"

namespace troupe {

namespace {

// What one call of `next` does of unpacking, in bytes that come out: some 100 us. Packed bytes of which nothing
// comes, such as the tables of empty blocks, take time as well: at most 1 ms so.
constexpr std::size_t most_work = 64 * 1024;
constexpr std::size_t work_of_input = 4;
constexpr std::size_t most_at_once = 4096; // packed bytes

constexpr bool is_control(websocket_opcode opcode) noexcept {
  return static_cast<std::uint8_t>(opcode) >= 8;
}

std::uint8_t byte_at(const char* p, std::size_t i) noexcept {
  return static_cast<std::uint8_t>(p[i]);
}

// How long a head is, whose second byte this is.
constexpr std::size_t size_of_head(std::uint8_t second) noexcept {
  const auto size = second & 0x7f;
  return 2U + (size == 126 ? 2U : size == 127 ? 8U : 0U) + ((second & 0x80) != 0 ? 4U : 0U);
}

} // namespace

namespace detail {

/// What came of a message, and of a control frame.
struct websocket_buffers {
  std::string message;
  std::string control;
};

} // namespace detail

namespace {

// The buffers of one parser between two messages, for the next one of this thread which has something to hold.
std::unique_ptr<detail::websocket_buffers>& spare_buffers() noexcept {
  thread_local std::unique_ptr<detail::websocket_buffers> spare;
  return spare;
}

constexpr std::size_t most_spare = 4096;

} // namespace

websocket_parser::websocket_parser(peer from, const websocket_limits& limits) noexcept
  : limits_(limits), from_(from) {}

websocket_parser::~websocket_parser() = default;

websocket_parser::event websocket_parser::refuse(std::uint16_t code, const char* reason) noexcept {
  state_ = state::refused;
  code_ = code;
  reason_ = reason;
  payload_ = {};
  in_frame_ = started_ = false;
  head_size_ = 0;
  given_ = true;
  unpacking_ = unpacks_end_ = false;
  inflater_.reset();
  release();
  return event::refused;
}

detail::websocket_buffers& websocket_parser::buffers() {
  if (!buffers_)
    buffers_ = std::move(spare_buffers());
  if (!buffers_)
    buffers_ = std::make_unique<detail::websocket_buffers>();
  return *buffers_;
}

std::size_t websocket_parser::held() const noexcept {
  return buffers_ ? buffers_->message.size() + buffers_->control.size() : 0;
}

void websocket_parser::clear_buffers() noexcept {
  given_ = false;
  payload_ = {};
  if (!buffers_)
    return;
  if (!started_)
    buffers_->message.clear();
  buffers_->control.clear();
}

void websocket_parser::release() noexcept {
  if (given_)
    clear_buffers();
  if (!buffers_ || held() > 0)
    return;
  if (buffers_->message.capacity() > most_spare)
    buffers_.reset();
  else
    spare_buffers() = std::move(buffers_);
}

websocket_parser::event websocket_parser::next(bytes_view& in) {
  if (state_ != state::open) {
    in = {};
    return state_ == state::refused ? event::refused : event::more;
  }
  if (given_)
    clear_buffers();
  auto work = most_work;
  for (;;) {
    if (!in_frame_ && !take_head(in))
      return state_ == state::refused ? event::refused : event::more;
    const auto what = is_control(opcode_) ? take_control(in)
                      : packed_           ? take_packed(in, work)
                                          : take_data(in);
    if (what != event::more || in_frame_)
      return what;
  }
}

// Takes a head, or as much of it as there is; false if it is not complete, or refused.
bool websocket_parser::take_head(bytes_view& in) {
  const auto text = as_text(in);
  if (head_size_ == 0 && text.size() >= 2) { // mostly it is here as a whole
    if (!check_first(byte_at(text.data(), 0), byte_at(text.data(), 1)))
      return false;
    const auto size = size_of_head(byte_at(text.data(), 1));
    if (text.size() >= size) {
      in = in.subspan(size);
      return begin_frame(text.data(), size);
    }
  }
  std::size_t used = 0;
  const auto more = [&](std::size_t until) {
    const auto n = std::min<std::size_t>(until - head_size_, text.size() - used);
    std::memcpy(head_.data() + head_size_, text.data() + used, n);
    used += n;
    head_size_ = static_cast<std::uint8_t>(head_size_ + n);
    in = in.subspan(n);
    return head_size_ == until;
  };
  if (head_size_ < 2
      && (!more(2) || !check_first(byte_at(head_.data(), 0), byte_at(head_.data(), 1))))
    return false;
  const auto size = size_of_head(byte_at(head_.data(), 1));
  if (!more(size))
    return false;
  head_size_ = 0;
  return begin_frame(head_.data(), size);
}

// What the first two bytes tell.
bool websocket_parser::check_first(std::uint8_t first, std::uint8_t second) {
  const auto refused = [this](const char* why) {
    refuse(websocket_code::protocol_error, why);
    return false;
  };
  const auto opcode = first & 0x0f;
  const bool may_be_packed = may_be_packed_ && (opcode == 1 || opcode == 2);
  if ((first & (may_be_packed ? 0x30 : 0x70)) != 0)
    return refused("a reserved bit is set");
  if ((opcode > 2 && opcode < 8) || opcode > 10)
    return refused("unknown opcode");
  if (opcode >= 8) {
    if ((first & 0x80) == 0)
      return refused("a control frame is fragmented");
    if ((second & 0x7f) > 125)
      return refused("a control frame is longer than 125 bytes");
  } else if (opcode == 0 && !started_) {
    return refused("a continuation of no message");
  } else if (opcode != 0 && started_) {
    return refused("a message within another one");
  }
  if (((second & 0x80) != 0) != (from_ == peer::client))
    return refused(from_ == peer::client ? "a client's frame is not masked"
                                         : "a server's frame is masked");
  return true;
}

bool websocket_parser::begin_frame(const char* head, std::size_t size) {
  const auto first = byte_at(head, 0);
  const auto second = byte_at(head, 1);
  opcode_ = static_cast<websocket_opcode>(first & 0x0f);
  final_ = (first & 0x80) != 0;
  left_ = second & 0x7f;
  std::uint64_t least = 0;
  if (left_ >= 126) {
    const std::size_t bytes = left_ == 126 ? 2 : 8;
    least = left_ == 126 ? 126 : 65536;
    left_ = 0;
    for (std::size_t i = 0; i < bytes; ++i)
      left_ = left_ << 8 | byte_at(head, 2 + i);
  }
  if (from_ == peer::client)
    std::memcpy(mask_.data(), head + size - mask_.size(), mask_.size());
  phase_ = 0;
  if (left_ < least || left_ >> 63 != 0) {
    refuse(websocket_code::protocol_error, "a length is not written as it should be");
    return false;
  }
  in_frame_ = true;
  if (is_control(opcode_))
    return true;
  if (!started_) {
    kind_ = opcode_;
    packed_ = (first & 0x40) != 0;
    size_ = 0;
    fragments_ = 0;
    utf8_.reset();
  }
  if (const auto most = most_payload(); left_ > most || size_ + left_ > most) {
    refuse(websocket_code::too_big, "the message is too long");
    return false;
  }
  if (++fragments_ > limits_.max_fragments) {
    refuse(websocket_code::policy, "the message has too many fragments");
    return false;
  }
  size_ += left_;
  started_ = !final_;
  return true;
}

namespace {

void append_unmasked(std::string& to, bytes_view from, const websocket_mask& mask,
                     std::uint8_t& phase) {
  const auto at = to.size();
  to.resize(at + from.size());
  apply_websocket_mask(to.data() + at, as_text(from).data(), from.size(), mask, phase);
  phase = static_cast<std::uint8_t>((phase + from.size()) % mask.size());
}

} // namespace

websocket_parser::event websocket_parser::take_control(bytes_view& in) {
  const auto piece = in.first(std::min<std::uint64_t>(left_, in.size()));
  in = in.subspan(piece.size());
  left_ -= piece.size();
  auto& control = buffers().control;
  if (from_ == peer::client)
    append_unmasked(control, piece, mask_, phase_);
  else
    control += as_text(piece);
  if (left_ > 0)
    return event::more;
  in_frame_ = false;
  payload_ = as_bytes(control);
  given_ = true;
  if (opcode_ == websocket_opcode::close)
    return closed();
  return opcode_ == websocket_opcode::ping ? event::ping : event::pong;
}

websocket_parser::event websocket_parser::closed() {
  code_ = websocket_code::none;
  if (!payload_.empty()) {
    if (payload_.size() == 1)
      return refuse(websocket_code::protocol_error, "a code of one byte");
    const auto* const code = as_text(payload_).data();
    code_ = static_cast<std::uint16_t>(byte_at(code, 0) << 8 | byte_at(code, 1));
    payload_ = payload_.subspan(2);
    if (!is_sendable_code(code_))
      return refuse(websocket_code::protocol_error, "a code that nobody may send");
    if (!detail::is_utf8(as_text(payload_)))
      return refuse(websocket_code::not_utf8, "the reason is not UTF-8");
  }
  state_ = state::closed;
  started_ = false;
  return event::close;
}

// What does not get shorter may be packed all the same, and gets a little longer.
std::uint64_t websocket_parser::most_payload() const noexcept {
  const std::uint64_t most = limits_.max_message;
  const auto more = most / 64 + 64;
  return packed_ && most <= std::numeric_limits<std::uint64_t>::max() - more ? most + more : most;
}

// Adds what the inflater makes of its piece, as far as there is work left.
websocket_parser::event websocket_parser::drain_inflater(std::size_t& work) {
  auto& message = buffers().message;
  while (work > 0) {
    const auto room = limits_.max_message - std::min(limits_.max_message, message.size());
    // One byte more tells that there is too much.
    if (!inflater_->step(std::min(room, detail::websocket_inflater::most - 1) + 1)) {
      unpacking_ = false;
      return inflater_->wrong() == nullptr ? event::more
                                           : refuse(inflater_->code(), inflater_->wrong());
    }
    const auto fresh = inflater_->output();
    work -= std::min(work, fresh.size());
    if (kind_ == websocket_opcode::text && !utf8_.take(fresh.substr(0, room)))
      return refuse(websocket_code::not_utf8, "the text is not UTF-8");
    if (fresh.size() > room)
      return refuse(websocket_code::too_big, "the message is too long once it is unpacked");
    message += fresh;
  }
  return event::unpacking;
}

// What the inflater has not come to stays in the input: so it holds none of it from one call to the next.
websocket_parser::event websocket_parser::take_packed(bytes_view& in, std::size_t& work) {
  std::array<char, most_at_once> plain;
  if (unpacking_) {
    if (!unpacks_end_)
      inflater_->feed({});
    if (const auto what = drain_inflater(work); what != event::more)
      return what;
  }
  while (left_ > 0 && !in.empty()) {
    if (!inflater_)
      inflater_ = std::make_unique<detail::websocket_inflater>();
    const auto size = std::min<std::uint64_t>({left_, in.size(), plain.size()});
    auto piece = as_text(in).substr(0, size);
    if (from_ == peer::client) {
      apply_websocket_mask(plain.data(), piece.data(), size, mask_, phase_);
      piece = {plain.data(), size};
    }
    inflater_->feed(piece);
    unpacking_ = true;
    const auto what = drain_inflater(work);
    if (what == event::refused)
      return what;
    const auto used = size - inflater_->unused();
    in = in.subspan(used);
    left_ -= used;
    phase_ = static_cast<std::uint8_t>((phase_ + used) % mask_.size());
    if (what == event::unpacking)
      return what;
    work -= std::min(work, used * work_of_input);
    if (work == 0) {
      unpacking_ = true;
      return event::unpacking;
    }
  }
  if (left_ > 0)
    return event::more;
  if (final_ && !unpacks_end_) {
    if (!inflater_)
      return refuse(websocket_code::not_utf8, "a packed message has at least one byte");
    inflater_->feed_end();
    unpacking_ = unpacks_end_ = true;
    if (const auto what = drain_inflater(work); what != event::more)
      return what;
  }
  in_frame_ = false;
  if (!final_)
    return event::more;
  unpacks_end_ = false;
  inflater_.reset();
  return complete(as_bytes(buffers().message));
}

websocket_parser::event websocket_parser::take_data(bytes_view& in) {
  const auto piece = in.first(std::min<std::uint64_t>(left_, in.size()));
  in = in.subspan(piece.size());
  left_ -= piece.size();
  const bool text = kind_ == websocket_opcode::text;
  const bool in_place =
    from_ == peer::server && left_ == 0 && final_ && (!buffers_ || buffers_->message.empty());
  auto fresh = as_text(piece);
  if (!in_place) {
    auto& message = buffers().message;
    const auto before = message.size();
    if (from_ == peer::client)
      append_unmasked(message, piece, mask_, phase_);
    else
      message += fresh;
    fresh = std::string_view{message}.substr(before);
  }
  if (text && !utf8_.take(fresh))
    return refuse(websocket_code::not_utf8, "the text is not UTF-8");
  if (left_ > 0)
    return event::more;
  in_frame_ = false;
  if (!final_)
    return event::more;
  return complete(in_place ? piece : as_bytes(buffers().message));
}

websocket_parser::event websocket_parser::complete(bytes_view message) {
  const bool text = kind_ == websocket_opcode::text;
  if (text && !utf8_.complete())
    return refuse(websocket_code::not_utf8, "the text ends within a character");
  payload_ = message;
  given_ = true;
  return text ? event::text : event::binary;
}

} // namespace troupe
