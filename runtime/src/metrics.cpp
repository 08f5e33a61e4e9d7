#include <troupe/runtime/metrics.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>

#include <spdlog/fmt/fmt.h>

#include "prometheus_page.hpp"

namespace troupe {

namespace {

bool is_name(std::string_view name, bool with_colon) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || (with_colon && c == ':');
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9')
         && std::all_of(name.begin(), name.end(), fits);
}

} // namespace

struct metrics::registry {
  struct value {
    labels with;
    counter count; // one of both
    gauge number;
  };

  struct metric {
    std::string name;
    std::string help;
    bool counts;
    std::vector<value> values;
  };

  value& find(std::string_view name, std::string_view help, bool counts, labels with) {
    if (!is_name(name, true))
      throw std::invalid_argument(fmt::format("metrics: \"{}\" is not a metric's name", name));
    for (const auto& [label, text] : with)
      if (!is_name(label, false))
        throw std::invalid_argument(fmt::format("metrics: \"{}\" is not a label's name", label));
    std::sort(with.begin(), with.end());
    auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const metric& m) { return m.name == name; });
    if (found == metrics.end())
      found = metrics.insert(found, metric{std::string{name}, std::string{help}, counts, {}});
    else if (found->counts != counts)
      throw std::invalid_argument(
        fmt::format("metrics: {} is a {} already", name, counts ? "gauge" : "counter"));
    auto& values = found->values;
    const auto same = [&](const value& v) {
      return v.with == with;
    };
    auto one = std::find_if(values.begin(), values.end(), same);
    if (one == values.end() && values.size() >= most_values) {
      for (auto& [label, text] : with)
        text = "other";
      one = std::find_if(values.begin(), values.end(), same);
    }
    if (one != values.end())
      return *one;
    return values.emplace_back(value{std::move(with), {}, {}});
  }

  mutable std::mutex mutex;
  std::vector<metric> metrics;
};

metrics::metrics() : registry_(std::make_unique<registry>()) {}
metrics::~metrics() = default;

metrics::counter metrics::add_counter(std::string_view name, std::string_view help,
                                      const labels& with) {
  const std::lock_guard hold{registry_->mutex};
  auto& found = registry_->find(name, help, true, with).count;
  if (found.count_ == nullptr)
    found.count_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  return found;
}

metrics::gauge metrics::add_gauge(std::string_view name, std::string_view help,
                                  const labels& with) {
  const std::lock_guard hold{registry_->mutex};
  auto& found = registry_->find(name, help, false, with).number;
  if (found.number_ == nullptr)
    found.number_ = std::make_shared<std::atomic<double>>(0);
  return found;
}

std::string metrics::text() const {
  detail::prometheus_page page;
  const std::lock_guard hold{registry_->mutex};
  for (const auto& m : registry_->metrics) {
    page.begin(m.name, m.counts ? "counter" : "gauge", m.help);
    for (const auto& v : m.values) {
      if (m.counts)
        page.add(m.name, v.with, v.count.value());
      else
        page.add(m.name, v.with, v.number.value());
    }
  }
  return std::move(page).text();
}

} // namespace troupe
