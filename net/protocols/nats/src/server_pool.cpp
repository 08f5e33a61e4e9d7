#include "server_pool.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>

#include <arpa/inet.h>

namespace troupe::detail {

namespace {

bool is_number(const std::string& host) noexcept {
  unsigned char address[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), address) == 1
         || ::inet_pton(AF_INET6, host.c_str(), address) == 1;
}

} // namespace

server_pool::server_pool(const std::vector<std::string>& urls, bool shuffled) {
  if (urls.empty())
    throw std::invalid_argument("nats_options::servers: there is none");
  for (const auto& text : urls)
    all_.push_back({nats_url::parse(text), false});
  if (shuffled)
    std::shuffle(all_.begin(), all_.end(), std::mt19937{std::random_device{}()});
  present_ = all_.front().url;
}

const nats_url& server_pool::take() {
  if (next_ >= all_.size())
    next_ = 0;
  present_ = all_[next_++].url;
  return present_;
}

std::vector<std::string> server_pool::names() const {
  std::vector<std::string> result;
  for (const auto& s : all_)
    result.push_back(s.url.name());
  return result;
}

std::vector<std::string> server_pool::learn(const std::vector<std::string>& urls) {
  std::vector<nats_url> told;
  for (const auto& text : urls) {
    if (text.find('@') != std::string::npos)
      continue;
    try {
      told.push_back(nats_url::parse(text));
    } catch (const std::invalid_argument&) {
    }
  }
  const auto name_is = [](const nats_url& url) {
    return [name = url.name()](const nats_url& other) {
      return other.name() == name;
    };
  };
  // The place of the next one moves with what is in front of it.
  for (std::size_t i = 0; i < all_.size();) {
    const auto& s = all_[i];
    if (!s.discovered || s.url.name() == present_.name()
        || std::any_of(told.begin(), told.end(), name_is(s.url))) {
      ++i;
      continue;
    }
    all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < next_)
      --next_;
  }
  std::vector<std::string> found;
  auto discovered = static_cast<std::size_t>(
    std::count_if(all_.begin(), all_.end(), [](const server& s) { return s.discovered; }));
  for (auto& url : told) {
    const auto same = name_is(url);
    if (discovered >= most_discovered
        || std::any_of(all_.begin(), all_.end(), [&](const server& s) { return same(s.url); }))
      continue;
    url.tls = present_.tls;
    url.credentials = present_.credentials;
    if (is_number(url.host)) // its certificate names the host by which we know the cluster
      url.tls_name = present_.tls_name.empty() ? present_.host : present_.tls_name;
    found.push_back(url.name());
    all_.push_back({std::move(url), true});
    ++discovered;
  }
  return found;
}

} // namespace troupe::detail
