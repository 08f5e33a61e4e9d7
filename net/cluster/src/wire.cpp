#include "wire.hpp"

#include <algorithm>
#include <array>

namespace troupe::detail::wire {

namespace {

template <class N>
void append(std::string& out, N n) {
  std::array<char, sizeof(N)> bytes;
  for (std::size_t i = 0; i < sizeof(N); ++i)
    bytes[i] = static_cast<char>(static_cast<std::uint8_t>(n >> (8 * i)));
  out.append(bytes.data(), bytes.size());
}

template <class N>
N take(std::string_view from) noexcept {
  N n = 0;
  for (std::size_t i = 0; i < sizeof(N); ++i)
    n |= static_cast<N>(static_cast<N>(static_cast<std::uint8_t>(from[i])) << (8 * i));
  return n;
}

sent_record record_at(std::string_view sent, std::size_t index) noexcept {
  const auto at = sent.substr(index * sent_record::size, sent_record::size);
  return {take<std::uint64_t>(at), take<std::uint64_t>(at.substr(8)),
          take<std::uint64_t>(at.substr(16))};
}

} // namespace

// -- writer -------------------------------------------------------------------------------------

void writer::begin(const header& h) {
  out_.clear();
  u8(version).u8(static_cast<std::uint8_t>(h.what)).u64(h.boot).u64(h.incarnation);
}

void writer::clear() {
  out_.clear();
  if (out_.capacity() > 64 * 1024)
    out_.shrink_to_fit();
}

writer& writer::u32(std::uint32_t n) {
  append(out_, n);
  return *this;
}

writer& writer::u64(std::uint64_t n) {
  append(out_, n);
  return *this;
}

writer& writer::text(std::string_view s) {
  s = s.substr(0, 255);
  return u8(static_cast<std::uint8_t>(s.size())).raw(s);
}

// -- reader -------------------------------------------------------------------------------------

std::uint32_t reader::u32() noexcept {
  const auto in = raw(4);
  return in.empty() ? 0 : take<std::uint32_t>(in);
}

std::uint64_t reader::u64() noexcept {
  const auto in = raw(8);
  return in.empty() ? 0 : take<std::uint64_t>(in);
}

std::uint64_t reader::rest_of_varint(std::uint8_t first) noexcept {
  std::uint64_t n = first & 0x7f;
  for (unsigned shift = 7; shift < 63; shift += 7) {
    const auto byte = u8();
    n |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80)
      return n;
  }
  fail();
  return 0;
}

std::optional<header> read_header(reader& in, std::uint8_t& of_other_version) {
  of_other_version = 0;
  const auto v = in.u8();
  if (!in.ok())
    return std::nullopt;
  if (v != version) {
    of_other_version = v;
    return std::nullopt;
  }
  header h;
  const auto what = in.u8();
  h.what = static_cast<kind>(what);
  h.boot = in.u64();
  h.incarnation = in.u64();
  if (!in.ok() || what == 0 || what > static_cast<std::uint8_t>(kind::answer) || h.boot == 0
      || h.incarnation == 0 || h.incarnation >= incarnation_limit)
    return std::nullopt;
  return h;
}

// -- beats --------------------------------------------------------------------------------------

void write(writer& out, const beat& what) {
  out.u8(what.flags).u32(what.period_ms).u64(what.interest).text(what.version);
  out.u32(static_cast<std::uint32_t>(what.sent.size() / sent_record::size)).raw(what.sent);
  out.u64(what.facts);
}

void append(std::string& out, const sent_record& what) {
  append(out, what.boot);
  append(out, what.stream);
  append(out, what.published);
}

std::optional<beat> read_beat(reader& in) {
  beat b;
  b.flags = in.u8();
  b.period_ms = in.u32();
  b.interest = in.u64();
  b.version = in.text();
  const auto records = in.u32();
  b.sent = in.raw(std::size_t{records} * sent_record::size);
  b.facts = in.u64();
  if (!in.ok() || b.version.size() > longest_version || b.period_ms == 0)
    return std::nullopt;
  return b;
}

std::optional<sent_record> find_sent(std::string_view sent, std::uint64_t boot) noexcept {
  std::size_t low = 0, high = sent.size() / sent_record::size;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    const auto record = record_at(sent, middle);
    if (record.boot == boot)
      return record;
    if (record.boot < boot)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

// -- interest -----------------------------------------------------------------------------------

void write(writer& out, const interest& what) {
  out.u8(what.flags).u32(what.part).u64(what.from).u64(what.to);
}

std::optional<interest> read_interest(reader& in) {
  interest i;
  i.flags = in.u8();
  i.part = in.u32();
  i.from = in.u64();
  i.to = in.u64();
  if (!in.ok())
    return std::nullopt;
  return i;
}

std::optional<fact> read_fact(reader& in) {
  if (in.at_end())
    return std::nullopt;
  fact f;
  f.there = in.u8() == 1;
  f.key = in.text();
  if (f.there)
    f.value = in.raw(static_cast<std::size_t>(in.varint()));
  if (f.key.empty() || f.value.size() > longest_fact)
    in.fail();
  if (!in.ok())
    return std::nullopt;
  return f;
}

// -- publications -------------------------------------------------------------------------------

void write(writer& out, const publications& what) {
  out.u64(what.to).u64(what.stream).u64(what.first);
}

std::optional<publications> read_publications(reader& in) {
  publications p;
  p.to = in.u64();
  p.stream = in.u64();
  p.first = in.u64();
  if (!in.ok() || p.stream == 0)
    return std::nullopt;
  return p;
}

std::optional<publication> read_publication(reader& in, std::size_t& topics) {
  if (in.at_end())
    return std::nullopt;
  publication p;
  p.topic = static_cast<std::size_t>(in.varint());
  if (in.ok() && p.topic == topics) {
    p.name = in.text();
    ++topics;
    if (p.name.empty() || p.name.size() > longest_topic)
      in.fail();
  } else if (p.topic > topics) {
    in.fail();
  }
  p.bytes = in.raw(static_cast<std::size_t>(in.varint()));
  if (p.bytes.empty())
    in.fail();
  if (!in.ok())
    return std::nullopt;
  return p;
}

// -- questions ----------------------------------------------------------------------------------

void write(writer& out, const question& what) {
  out.u64(what.to).u64(what.number).u32(what.timeout_ms).text(what.name);
}

std::optional<question> read_question(reader& in) {
  question q;
  q.to = in.u64();
  q.number = in.u64();
  q.timeout_ms = in.u32();
  q.name = in.text();
  if (!in.ok() || q.name.empty() || q.name.size() > longest_topic)
    return std::nullopt;
  return q;
}

void write(writer& out, const answer& what) {
  out.u64(what.to).u64(what.number).u8(what.failed ? 1 : 0);
}

std::optional<answer> read_answer(reader& in) {
  answer a;
  a.to = in.u64();
  a.number = in.u64();
  a.failed = in.u8() != 0;
  if (!in.ok() || a.number == 0)
    return std::nullopt;
  return a;
}

} // namespace troupe::detail::wire
