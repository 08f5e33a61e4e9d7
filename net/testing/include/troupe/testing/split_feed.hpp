#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Returns `bytes` as it would be written in a source: printable ASCII as it is, the rest as `\r`,
/// `\n`, `\t`, `\\`, `\"` or `\xNN`; after `limit` bytes "... (N bytes)".
[[nodiscard]] inline std::string show_bytes(std::string_view bytes, std::size_t limit = 200) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string shown;
  for (const char c : bytes.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r')
      shown += "\\r";
    else if (c == '\n')
      shown += "\\n";
    else if (c == '\t')
      shown += "\\t";
    else if (c == '\\' || c == '"')
      (shown += '\\') += c;
    else if (byte >= 0x20 && byte < 0x7f)
      shown += c;
    else
      ((shown += "\\x") += hex[byte >> 4]) += hex[byte & 15];
  }
  if (bytes.size() > limit)
    shown += "... (" + std::to_string(bytes.size()) + " bytes)";
  return shown;
}

/// An input, and where it is cut in pieces: what a test hands to the parser that it is about.
///
/// Each piece lies in memory of its own of exactly its size, which is overwritten and given back when
/// the parser returns: one that reads past its input, or keeps a view of it, is caught by a sanitizer,
/// and mostly by the events.
class split_input {
public:
  /// \param cuts  where pieces end, growing; those at 0 or at the end make no empty pieces
  split_input(std::string_view input, std::vector<std::size_t> cuts)
    : input_(input), cuts_(std::move(cuts)) {}

  /// Calls `fn(std::string_view)` with each piece. An `fn` that returns bool ends the feed with
  /// `false`: that of a parser which has failed, and takes no more.
  template <class F>
  void feed(F&& fn) const {
    std::size_t begin = 0;
    for (const auto cut : cuts_)
      if (cut > begin && cut < input_.size()) {
        if (!give(fn, input_.substr(begin, cut - begin)))
          return;
        begin = cut;
      }
    if (begin < input_.size())
      give(fn, input_.substr(begin));
  }

  [[nodiscard]] std::string_view whole() const noexcept { return input_; }
  [[nodiscard]] const std::vector<std::size_t>& cuts() const noexcept { return cuts_; }

private:
  template <class F>
  static bool give(F& fn, std::string_view piece) {
    struct lent {
      explicit lent(std::string_view of) : bytes(new char[of.size()]), size(of.size()) {
        std::memcpy(bytes.get(), of.data(), size);
      }
      ~lent() { std::memset(bytes.get(), 0xdd, size); }
      std::unique_ptr<char[]> bytes;
      std::size_t size;
    } const copy{piece};
    const std::string_view view{copy.bytes.get(), copy.size};
    if constexpr (std::is_same_v<std::invoke_result_t<F&, std::string_view>, bool>) {
      return fn(view);
    } else {
      fn(view);
      return true;
    }
  }

  std::string_view input_;
  std::vector<std::size_t> cuts_;
};

/// How many ways to cut an input are tried; the defaults take some hundreds of runs.
struct split_options {
  /// Inputs of up to this many bytes are cut in all 2^(n-1) ways.
  std::size_t all_ways = 9;

  /// Those of up to this many are cut at each pair of places.
  std::size_t all_pairs = 40;

  /// Those of up to this many are cut at each place; longer ones at both ends and in places drawn.
  std::size_t all_places = 2000;

  /// How often it is cut at random, in many pieces.
  std::size_t random = 50;

  /// Longer inputs are not fed byte by byte.
  std::size_t byte_wise = 1'000'000;

  /// From which the random cuts follow.
  unsigned seed = 1;
};

namespace splitting {

// Calls `fn(cuts)` with each way to cut `size` bytes, until it returns false.
template <class F>
bool each_split(std::size_t size, const split_options& o, F&& fn) {
  using cuts = std::vector<std::size_t>;
  if (size < 2)
    return true;
  const auto every = [size](std::size_t step) {
    cuts all;
    for (auto at = step; at < size; at += step)
      all.push_back(at);
    return all;
  };
  if (size <= o.byte_wise && !fn(every(1)))
    return false;
  for (const std::size_t step : {2, 3, 5, 7, 16, 61, 1000})
    if (step < size && size / step <= o.byte_wise && !fn(every(step)))
      return false;
  std::mt19937 draw{o.seed};
  if (size <= o.all_places) {
    for (std::size_t at = 1; at < size; ++at)
      if (!fn(cuts{at}))
        return false;
  } else {
    const auto half = o.all_places / 2;
    for (std::size_t i = 1; i <= half; ++i)
      if (!fn(cuts{i % 2 == 0 ? i : size - i}) || !fn(cuts{1 + draw() % (size - 1)}))
        return false;
  }
  if (size <= o.all_pairs)
    for (std::size_t first = 1; first < size; ++first)
      for (auto second = first + 1; second < size; ++second)
        if (!fn(cuts{first, second}))
          return false;
  if (size <= std::min<std::size_t>(o.all_ways, 24)) {
    for (std::size_t ways = 0; ways < (std::size_t{1} << (size - 1)); ++ways) {
      cuts some;
      for (std::size_t at = 1; at < size; ++at)
        if ((ways >> (at - 1) & 1) != 0)
          some.push_back(at);
      if (!fn(std::move(some)))
        return false;
    }
  }
  for (std::size_t i = 0; i < o.random; ++i) {
    const auto longest =
      1 + draw() % std::max<std::size_t>(2, std::min<std::size_t>(size, 1 + i * i));
    cuts some;
    for (auto at = 1 + draw() % longest; at < size; at += 1 + draw() % longest)
      some.push_back(at);
    if (!fn(std::move(some)))
      return false;
  }
  return true;
}

template <class Events>
std::string show_events(const Events& events) {
  if constexpr (std::is_convertible_v<const Events&, std::string_view>) {
    return "\"" + show_bytes(events) + "\"";
  } else if constexpr (requires { std::string_view{*std::begin(events)}; }) {
    std::string all;
    for (const auto& event : events)
      all += (all.empty() ? "{\"" : ", \"") + show_bytes(std::string_view{event}) + "\"";
    return all.empty() ? "{}" : all + "}";
  } else {
    return "(events that are not text)";
  }
}

} // namespace splitting

/// Feeds `input` to a parser whole, and cut in many ways down to single bytes, and compares what
/// comes out.
///
/// ```cpp
/// CHECK(testing::split_difference("3:abc,0:,", [](const testing::split_input& input) {
///         std::vector<std::string> events;
///         netstring_parser parser{1000};
///         input.feed([&](std::string_view piece) {
///           std::string_view string;
///           while (parser.next(piece, string) == netstring_parser::status::string)
///             events.emplace_back(string);
///         });
///         return events;
///       }) == "");
/// ```
///
/// \param run  called as `run(const split_input&)`, with a new parser each time; returns its events,
///             of any type that can be compared: best a vector of strings, which can be shown
/// \returns nothing if all are alike; else where the input was cut, and both events
template <class Run>
[[nodiscard]] std::string split_difference(std::string_view input, Run&& run,
                                           const split_options& o = {}) {
  const auto expected = run(split_input{input, {}});
  std::string difference;
  splitting::each_split(input.size(), o, [&](std::vector<std::size_t> cuts) {
    const split_input split{input, std::move(cuts)};
    const auto got = run(split);
    if (got == expected)
      return true;
    difference = "cut at";
    for (std::size_t i = 0; i < split.cuts().size(); ++i) {
      if (i == 20) {
        difference += " ...";
        break;
      }
      difference += ' ' + std::to_string(split.cuts()[i]);
    }
    difference += ", \"" + show_bytes(input) + "\" gives " + splitting::show_events(got)
                  + " and not " + splitting::show_events(expected);
    return false;
  });
  return difference;
}

} // namespace troupe::testing
