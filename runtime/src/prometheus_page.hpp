#pragma once

#include <cmath>
#include <concepts>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include <troupe/runtime/metrics.hpp>

namespace troupe::detail {

/// A text in Prometheus' format 0.0.4 as it grows.
class prometheus_page {
public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(text_), "# HELP {} ", name);
    escape(help, false);
    fmt::format_to(std::back_inserter(text_), "\n# TYPE {} {}\n", name, type);
  }

  template <class Number>
  void add(std::string_view name, const metrics::labels& with, Number value) {
    text_ += name;
    auto before = '{';
    for (const auto& [label, text] : with) {
      text_ += std::exchange(before, ',');
      text_ += label;
      text_ += "=\"";
      escape(text, true);
      text_ += '"';
    }
    if (!with.empty())
      text_ += '}';
    text_ += ' ';
    if constexpr (std::floating_point<Number>) {
      if (!std::isfinite(value)) {
        text_ += std::isnan(value) ? "NaN\n" : value > 0 ? "+Inf\n" : "-Inf\n";
        return;
      }
    }
    fmt::format_to(std::back_inserter(text_), "{}\n", value);
  }

  [[nodiscard]] std::string text() && { return std::move(text_); }

private:
  void escape(std::string_view text, bool quoted) {
    for (const char c : text) {
      if (c == '\n')
        text_ += "\\n";
      else if (c == '\\' || (quoted && c == '"'))
        (text_ += '\\') += c;
      else
        text_ += c;
    }
  }

  std::string text_;
};

} // namespace troupe::detail
