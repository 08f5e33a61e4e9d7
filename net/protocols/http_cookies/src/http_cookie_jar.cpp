#include <troupe/http_cookies/http_cookie_jar.hpp>

#include <algorithm>
#include <stdexcept>
#include <tuple>

#include <libpsl.h>

#include <troupe/http/http_text.hpp>
#include <troupe/net/address_networks.hpp>

#include "set_cookie.hpp"

namespace troupe {

namespace {

bool has_ended(const kept_http_cookie& c, std::time_t at) noexcept {
  return c.expires && *c.expires <= at;
}

bool same_cookie(const kept_http_cookie& a, const kept_http_cookie& b) noexcept {
  return a.name == b.name && a.path == b.path && a.host_only == b.host_only;
}

bool begins_with_prefix(std::string_view name, std::string_view prefix) noexcept {
  return name.size() >= prefix.size() && equal_without_case(name.substr(0, prefix.size()), prefix);
}

} // namespace

/// The public suffix list: the newest that the system or libpsl has.
struct http_cookie_jar::suffixes {
  suffixes() : list(psl_latest(nullptr)) {
    if (list == nullptr)
      throw std::runtime_error("http_cookie_jar: libpsl has no public suffix list");
  }
  ~suffixes() { psl_free(list); }
  suffixes(const suffixes&) = delete;
  suffixes& operator=(const suffixes&) = delete;

  [[nodiscard]] bool has(const std::string& domain) const {
    return psl_is_public_suffix(list, domain.c_str()) != 0;
  }

  psl_ctx_t* list;
};

http_cookie_jar::http_cookie_jar(http_cookie_jar_options options)
  : options_(std::move(options)), suffixes_(std::make_unique<const suffixes>()) {
  if (options_.max_per_domain == 0 || options_.max_cookies == 0)
    throw std::invalid_argument(
      "http_cookie_jar_options: max_per_domain and max_cookies are 1 at least");
}

http_cookie_jar::~http_cookie_jar() = default;

std::time_t http_cookie_jar::now() const {
  return options_.wall_clock ? options_.wall_clock() : std::time(nullptr);
}

// -- what servers set -----------------------------------------------------------------------------

void http_cookie_jar::set_cookie(const http_url& url, std::string_view field) {
  const auto at = now();
  auto said = detail::parse_set_cookie(field, at, options_.max_size);
  if (!said)
    return;
  const auto& host = url.host();
  kept_http_cookie c;
  c.name = std::move(said->name);
  c.value = std::move(said->value);
  c.expires = said->expires;
  if (c.expires)
    c.expires = std::min<std::time_t>(*c.expires, at + options_.max_age.count());
  c.secure = said->secure;
  c.http_only = said->http_only;
  c.host_only = said->domain.empty();
  c.domain = c.host_only ? host : std::move(said->domain);
  if (!c.host_only) {
    if (!detail::cookie_domain_matches(c.domain, host))
      return;
    if (c.domain == host && is_ip_address(host)) {
      c.host_only = true;
    } else if (suffixes_->has(c.domain)) {
      if (c.domain != host)
        return;
      c.host_only = true;
    }
  }
  const bool path_said = said->path == "/";
  c.path = said->path.empty() ? detail::default_cookie_path(url.path()) : std::move(said->path);
  if (c.secure && !url.secure())
    return;
  if (begins_with_prefix(c.name, "__Secure-") && !c.secure)
    return;
  if (begins_with_prefix(c.name, "__Host-") && !(c.secure && c.host_only && path_said))
    return;
  if (!url.secure() && hides_secure(c))
    return;
  add(std::move(c));
}

// Tells whether, set over http, it would take the place of a secure one, or stand in front of it.
bool http_cookie_jar::hides_secure(const kept_http_cookie& c) const {
  for (const auto& [domain, kept] : domains_) {
    if (!detail::cookie_domain_matches(domain, c.domain)
        && !detail::cookie_domain_matches(c.domain, domain))
      continue;
    for (const auto& e : kept)
      if (e.cookie.secure && e.cookie.name == c.name
          && detail::cookie_path_matches(e.cookie.path, c.path))
        return true;
  }
  return false;
}

void http_cookie_jar::add(kept_http_cookie cookie) {
  const auto at = now();
  auto& kept = domains_[cookie.domain];
  const auto old = std::find_if(kept.begin(), kept.end(),
                                [&](const entry& e) { return same_cookie(e.cookie, cookie); });
  auto made = ++clock_;
  if (old != kept.end()) {
    made = old->made;
    kept.erase(old);
    --size_;
  }
  if (has_ended(cookie, at)) {
    if (kept.empty())
      domains_.erase(cookie.domain);
    return;
  }
  if (kept.size() >= options_.max_per_domain || size_ >= options_.max_cookies) {
    drop_expired(at);
    make_room(cookie.domain);
  }
  const auto domain = cookie.domain;
  domains_[domain].push_back({std::move(cookie), made, clock_});
  ++size_;
}

void http_cookie_jar::drop_expired(std::time_t at) {
  for (auto& [domain, kept] : domains_)
    size_ -= std::erase_if(kept, [&](const entry& e) { return has_ended(e.cookie, at); });
  std::erase_if(domains_, [](const auto& d) { return d.second.empty(); });
}

void http_cookie_jar::make_room(const std::string& domain) {
  if (auto& kept = domains_[domain]; kept.size() >= options_.max_per_domain) {
    kept.erase(std::min_element(kept.begin(), kept.end(), [](const entry& a, const entry& b) {
      return std::tie(a.cookie.secure, a.used) < std::tie(b.cookie.secure, b.used);
    }));
    --size_;
  }
  if (size_ < options_.max_cookies)
    return;
  entries* of = nullptr;
  std::size_t place = 0;
  for (auto& [name, kept] : domains_)
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (of == nullptr || kept[i].used < (*of)[place].used) {
        of = &kept;
        place = i;
      }
  if (of != nullptr) {
    of->erase(of->begin() + static_cast<std::ptrdiff_t>(place));
    --size_;
  }
}

// -- what servers get -----------------------------------------------------------------------------

std::string http_cookie_jar::cookies_for(const http_url& url) {
  const auto at = now();
  const std::string_view host = url.host();
  std::vector<entry*> sent;
  // The host's own, and those of each domain that it is in.
  for (std::string_view domain = host;;) {
    if (const auto found = domains_.find(domain); found != domains_.end())
      for (auto& e : found->second)
        if ((domain == host || !e.cookie.host_only) && (url.secure() || !e.cookie.secure)
            && !has_ended(e.cookie, at) && detail::cookie_path_matches(e.cookie.path, url.path()))
          sent.push_back(&e);
    const auto dot = domain.find('.');
    if (dot == std::string_view::npos || is_ip_address(host))
      break;
    domain.remove_prefix(dot + 1);
  }
  std::sort(sent.begin(), sent.end(), [](const entry* a, const entry* b) {
    return a->cookie.path.size() != b->cookie.path.size()
             ? a->cookie.path.size() > b->cookie.path.size()
             : a->made < b->made;
  });
  ++clock_;
  std::string field;
  for (auto* const e : sent) {
    e->used = clock_;
    if (!field.empty())
      field += "; ";
    ((field += e->cookie.name) += '=') += e->cookie.value;
  }
  return field;
}

// -- the rest -------------------------------------------------------------------------------------

std::vector<kept_http_cookie> http_cookie_jar::all() const {
  const auto at = now();
  std::vector<kept_http_cookie> result;
  for (const auto& [domain, kept] : domains_) {
    std::vector<const entry*> sorted;
    for (const auto& e : kept)
      if (!has_ended(e.cookie, at))
        sorted.push_back(&e);
    std::sort(sorted.begin(), sorted.end(),
              [](const entry* a, const entry* b) { return a->made < b->made; });
    for (const auto* const e : sorted)
      result.push_back(e->cookie);
  }
  return result;
}

void http_cookie_jar::end_session() {
  for (auto& [domain, kept] : domains_)
    size_ -= std::erase_if(kept, [](const entry& e) { return !e.cookie.expires; });
  std::erase_if(domains_, [](const auto& d) { return d.second.empty(); });
}

void http_cookie_jar::clear() noexcept {
  domains_.clear();
  size_ = 0;
}

} // namespace troupe
