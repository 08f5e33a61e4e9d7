#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/runtime/bytes.hpp>

/// The messages of a cluster: how they are written, and read by who does not trust them.
///
/// Each begins with the version of the protocol, its kind, and who sent it. Numbers are little-endian.
/// What a reader does not know at the end of a message, it leaves; a version that it does not know, it
/// refuses. README.md has the table of the messages.
namespace troupe::detail::wire {

inline constexpr std::uint8_t version = 1;
inline constexpr std::size_t longest_topic = 200;
inline constexpr std::size_t longest_version = 64;
inline constexpr std::size_t longest_reason = 256;

/// What a message of publications has beside the bytes of one, at most.
inline constexpr std::size_t overhead = 512;

enum class kind : std::uint8_t {
  claim = 1, ///< "who else has my name?", before the first beat
  beat,      ///< a node lives
  bye,       ///< a node leaves
  outdated,  ///< your incarnation is over here; take one above that
  taken,     ///< your name is mine
  refused,   ///< we may not be in one cluster, for this reason
  interest,  ///< topics with subscribers here: what changed, or all
  interest_wanted,
  publications,
  facts,        ///< what the node says of itself: what changed, or all
  facts_wanted, ///< tell me from this version on
  question,     ///< a message for who serves a name, and maybe an answer is wanted
  answer,
};

/// Incarnations are below it, so that there is always a greater one.
inline constexpr std::uint64_t incarnation_limit = std::uint64_t{1} << 62;

/// Who sent a message: a process, and as which incarnation of its name.
struct header {
  kind what = kind::beat;
  std::uint64_t boot = 0;
  std::uint64_t incarnation = 0;
};

/// Writes one message.
class writer {
public:
  writer() = default; // empty: `begin` comes first
  explicit writer(const header& h) { begin(h); }

  /// Begins another message in place of this one.
  void begin(const header& h);

  /// Forgets the message, and gives back memory if that is much.
  void clear();

  writer& u8(std::uint8_t n) {
    out_ += static_cast<char>(n);
    return *this;
  }
  writer& u32(std::uint32_t n);
  writer& u64(std::uint64_t n);
  writer& varint(std::uint64_t n) {
    char bytes[10];
    out_.append(bytes, static_cast<std::size_t>(put(bytes, n) - bytes));
    return *this;
  }
  writer& varints(std::uint64_t n, std::uint64_t m) {
    char bytes[20];
    out_.append(bytes, static_cast<std::size_t>(put(put(bytes, n), m) - bytes));
    return *this;
  }

  /// Appends the length in one byte, and the text; at most 255 bytes.
  writer& text(std::string_view s);
  writer& raw(std::string_view s) {
    out_ += s;
    return *this;
  }

  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
  [[nodiscard]] bytes_view view() const noexcept { return as_bytes(out_); }

private:
  static char* put(char* at, std::uint64_t n) noexcept {
    for (; n >= 0x80; n >>= 7)
      *at++ = static_cast<char>(n | 0x80);
    *at++ = static_cast<char>(n);
    return at;
  }

  std::string out_;
};

/// Reads one message. What is not there reads as zero or empty, and `ok` is false from then on.
class reader {
public:
  explicit reader(bytes_view message) noexcept : in_(as_text(message)) {}

  [[nodiscard]] std::uint8_t u8() noexcept {
    const auto in = raw(1);
    return in.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(in[0]);
  }
  [[nodiscard]] std::uint32_t u32() noexcept;
  [[nodiscard]] std::uint64_t u64() noexcept;
  [[nodiscard]] std::uint64_t varint() noexcept {
    const auto byte = u8();
    return byte < 0x80 ? byte : rest_of_varint(byte);
  }
  [[nodiscard]] std::string_view text() noexcept { return raw(u8()); }
  [[nodiscard]] std::string_view raw(std::size_t size) noexcept {
    if (size > in_.size()) {
      fail();
      return {};
    }
    const std::string_view taken{in_.data(), size};
    in_.remove_prefix(size);
    return taken;
  }

  /// Returns all that is left.
  [[nodiscard]] std::string_view rest() noexcept { return raw(in_.size()); }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return in_.empty(); }
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }

private:
  [[nodiscard]] std::uint64_t rest_of_varint(std::uint8_t first) noexcept;

  std::string_view in_;
  bool ok_ = true;
};

/// Reads the beginning of a message. Nothing if it is none, or of a version that we do not know: then
/// `of_other_version` tells which.
[[nodiscard]] std::optional<header> read_header(reader& in, std::uint8_t& of_other_version);

// -- beats --------------------------------------------------------------------------------------

/// How many publications a process has had for another one, as its beats tell.
struct sent_record {
  std::uint64_t boot = 0; ///< of the process that they were for
  std::uint64_t stream = 0;
  std::uint64_t published = 0;

  static constexpr std::size_t size = 24;
};

struct beat {
  static constexpr std::uint8_t joining = 1; ///< it has just begun
  std::uint8_t flags = 0;
  std::uint32_t period_ms = 0;
  std::uint64_t interest = 0; ///< the version of its interest in topics
  std::string_view version;   ///< of its program
  std::string_view sent;      ///< records, sorted by boot
  std::uint64_t facts = 0;    ///< the version of what it says of itself
};

void write(writer& out, const beat& what);
void append(std::string& out, const sent_record& what);
[[nodiscard]] std::optional<beat> read_beat(reader& in);

/// Returns the record for `boot` among those of a beat.
[[nodiscard]] std::optional<sent_record> find_sent(std::string_view sent,
                                                   std::uint64_t boot) noexcept;

// -- interest and facts -------------------------------------------------------------------------

/// What stands before the topics of a message of interest: each is a byte, 1 for "from now on" and 0 for
/// "no longer", and a text. And before facts: a byte, likewise, the text of the key, and of those that are
/// there length and bytes of the value.
struct interest {
  static constexpr std::uint8_t whole = 1; ///< all topics, in several parts; else what changed
  static constexpr std::uint8_t last = 2;  ///< the last part
  std::uint8_t flags = 0;
  std::uint32_t part = 0;
  std::uint64_t from = 0; ///< the version that it stands on, if it is not whole
  std::uint64_t to = 0;   ///< the version that the reader has behind the last part
};

/// How far a reader has been told everything, which goes part by part as the backplane takes it.
struct whole_told {
  bool begun = false;
  std::uint64_t version = 0; ///< of what is told; what has changed since is told behind it
  std::uint32_t part = 0;    ///< the next one
  std::string last{};        ///< what the part before ended with: all is told in order
  bool changes = false;      ///< all has been told, and what has changed since `version` follows
};

void write(writer& out, const interest& what);
[[nodiscard]] std::optional<interest> read_interest(reader& in);

struct fact {
  bool there = false;
  std::string_view key; ///< never empty
  std::string_view value;
};

inline constexpr std::size_t longest_fact = 4096; ///< bytes of a value

/// Reads the next fact. Nothing at the end, or if what follows is none: then `in.ok()` is false.
[[nodiscard]] std::optional<fact> read_fact(reader& in);

// -- publications -------------------------------------------------------------------------------

/// What stands before the publications of a message. Each is the number of its topic within the message,
/// the name if the number is new, the length and the bytes.
struct publications {
  std::uint64_t to = 0;     ///< the boot of the process that they are for
  std::uint64_t stream = 0; ///< grows when the count begins anew
  std::uint64_t first = 0;  ///< how many publications of the stream came before
};

void write(writer& out, const publications& what);
[[nodiscard]] std::optional<publications> read_publications(reader& in);

struct publication {
  std::size_t topic = 0;  ///< number within the message
  std::string_view name;  ///< if this is the first of its topic
  std::string_view bytes; ///< never empty
};

/// Reads the next publication. Nothing at the end, or if what follows is none: then `in.ok()` is false.
///
/// \param topics  how many topics the message has named so far; counted here
[[nodiscard]] std::optional<publication> read_publication(reader& in, std::size_t& topics);

// -- questions ----------------------------------------------------------------------------------

/// A message for an actor, whose bytes stand behind it.
struct question {
  std::uint64_t to = 0;     ///< the boot of the process that it is for
  std::uint64_t number = 0; ///< by which the answer is known; 0: none is wanted
  std::uint32_t timeout_ms = 0;
  std::string_view name; ///< of who is asked
};

void write(writer& out, const question& what);
[[nodiscard]] std::optional<question> read_question(reader& in);

/// What stands before the bytes of an answer: a message, or one that holds a failure.
struct answer {
  std::uint64_t to = 0;
  std::uint64_t number = 0;
  bool failed = false;
};

void write(writer& out, const answer& what);
[[nodiscard]] std::optional<answer> read_answer(reader& in);

} // namespace troupe::detail::wire
