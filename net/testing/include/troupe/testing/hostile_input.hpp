#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Makes hostile input of good input: cut short, with bytes changed, gone, doubled or added, numbers
/// that overflow, parts repeated, and two samples grown together.
///
/// What comes out depends on the samples, the words and the seed alone, so a failure can be repeated.
///
/// ```cpp
/// const testing::hostile_input make{{"3:abc,", "0:,"}, {":", ",", "99999"}};
/// make.each([](std::string_view bytes) { CHECK(events_of(bytes).size() <= bytes.size()); });
/// ```
class hostile_input {
public:
  /// \param samples  input that is good
  /// \param words    what matters in this protocol; control bytes, line ends, and numbers at the
  ///                 ends of their ranges are tried anyway
  explicit hostile_input(std::vector<std::string> samples, std::vector<std::string> words = {})
    : samples_(std::move(samples)), words_(std::move(words)) {
    using namespace std::string_literals;
    for (auto& word : {"\0"s,
                       "\x01"s,
                       "\t"s,
                       "\n"s,
                       "\r"s,
                       "\r\n"s,
                       "\x1b[2J"s,
                       " "s,
                       "\x7f"s,
                       "\x80"s,
                       "\xff"s,
                       "\xff\xff\xff\xff"s,
                       "\xc3"s,
                       "\xed\xa0\x80"s,
                       "%00"s,
                       "-1"s,
                       "+1"s,
                       "00"s,
                       "0x10"s,
                       "1e9"s,
                       "255"s,
                       "256"s,
                       "65535"s,
                       "65536"s,
                       "2147483647"s,
                       "2147483648"s,
                       "4294967295"s,
                       "4294967296"s,
                       "9223372036854775807"s,
                       "18446744073709551615"s,
                       "18446744073709551616"s,
                       "99999999999999999999999999"s})
      words_.push_back(word);
  }

  /// Calls `fn(std::string_view)` with each sample, and with all that is made of it by one change
  /// (`n` bytes give about `n * (words + 12)` inputs), then with `random` that are made by several.
  template <class F>
  void each(F&& fn, std::size_t random = 2000, unsigned seed = 1) const {
    for (const auto& sample : samples_)
      each_change(sample, fn);
    std::mt19937 draw{seed};
    for (std::size_t i = 0; i < random; ++i)
      fn(std::string_view{drawn(draw)});
  }

  /// Returns one input that is made by some changes, as `draw` has it.
  [[nodiscard]] std::string drawn(std::mt19937& draw) const {
    std::string made = samples_.empty() ? std::string{} : samples_[draw() % samples_.size()];
    for (auto changes = 1 + draw() % 6; changes > 0; --changes)
      change(made, draw);
    return made;
  }

  /// Changes `bytes` in one way, as `draw` has it.
  void change(std::string& bytes, std::mt19937& draw) const {
    const auto place = bytes.empty() ? 0 : draw() % (bytes.size() + 1);
    const auto in_range = bytes.empty() ? 0 : std::min<std::size_t>(place, bytes.size() - 1);
    switch (draw() % 9) {
    case 0:
      bytes.resize(place);
      break;
    case 1:
      if (!bytes.empty())
        bytes[in_range] = static_cast<char>(draw());
      break;
    case 2:
      if (!bytes.empty())
        bytes[in_range] = static_cast<char>(bytes[in_range] ^ (1 << draw() % 8));
      break;
    case 3:
      bytes.erase(in_range, 1 + draw() % 8);
      break;
    case 4:
      bytes.insert(place, words_[draw() % words_.size()]);
      break;
    case 5:
      bytes.insert(place, std::string(1 + draw() % 300, static_cast<char>(draw())));
      break;
    case 6:
      if (const auto part = bytes.substr(in_range, 1 + draw() % 40); bytes.size() < 65536)
        for (auto times = 1 + draw() % 20; times > 0; --times)
          bytes.insert(place, part);
      break;
    case 7:
      bytes.replace(in_range, 1 + draw() % 4, words_[draw() % words_.size()]);
      break;
    default:
      if (!samples_.empty()) {
        const auto& other = samples_[draw() % samples_.size()];
        bytes = bytes.substr(0, place) + other.substr(other.empty() ? 0 : draw() % other.size());
      }
    }
  }

private:
  template <class F>
  void each_change(const std::string& sample, F& fn) const {
    fn(std::string_view{sample});
    const auto with = [&](std::size_t at, std::size_t gone, std::string_view added) {
      std::string made = sample;
      made.replace(at, gone, added);
      fn(std::string_view{made});
    };
    static constexpr std::string_view bytes{"\0\x01\t\n\r \x7f\x80\xff", 9};
    for (std::size_t at = 0; at < sample.size(); ++at) {
      fn(std::string_view{sample}.substr(0, at));
      with(at, 1, {});
      with(at, 0, sample.substr(at, 1));
      for (std::size_t i = 0; i < bytes.size(); ++i)
        with(at, 1, bytes.substr(i, 1));
      for (const auto& word : words_)
        with(at, 0, word);
      const auto digits = sample.find_first_not_of("0123456789", at);
      if ((at == 0 || !is_digit(sample[at - 1])) && is_digit(sample[at]))
        for (const auto& word : words_) // a whole number is another one
          with(at, std::min(digits, sample.size()) - at, word);
    }
    for (const auto& word : words_)
      with(sample.size(), 0, word);
    for (const char filler : {'a', '0', '9', ' ', '\0', '\xff'}) {
      with(sample.size(), 0, std::string(100'000, filler));
      with(0, 0, std::string(100'000, filler));
    }
    for (const auto& other : samples_)
      with(sample.size(), 0, other);
  }

  static constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

  std::vector<std::string> samples_;
  std::vector<std::string> words_;
};

} // namespace troupe::testing
