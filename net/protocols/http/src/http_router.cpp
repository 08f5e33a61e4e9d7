#include <troupe/http/http_router.hpp>

#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_text.hpp>

namespace troupe {

// A place in the tree of paths: one level for each segment.
struct http_router::node {
  std::map<std::string, std::unique_ptr<node>, std::less<>> words;
  std::unique_ptr<node> placeholder;
  std::string placeholder_name;
  std::map<std::string, http_handler, std::less<>> methods;
  http_handler mounted;
};

namespace {

// Takes the next segment off the front of a path that begins with "/".
std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

http_response bad_path() {
  return {400, "The path cannot be decoded.\n"};
}

} // namespace

// The way through the tree for one path. What is the most specific is tried first.
struct http_router::search {
  const std::vector<std::string>& segments;
  const std::vector<std::size_t>& ends; // of the segments in the path
  std::vector<std::pair<const std::string*, const std::string*>> parameters{};
  const node* found = nullptr;
  const node* mounted = nullptr;
  std::size_t mounted_at = 0;
  std::size_t mounted_depth = 0;

  bool look(const node& at, std::size_t depth) {
    if (at.mounted && (mounted == nullptr || depth > mounted_depth)) {
      mounted = &at;
      mounted_depth = depth;
      mounted_at = depth == 0 ? 0 : ends[depth - 1];
    }
    if (depth == segments.size()) {
      if (at.methods.empty())
        return false;
      found = &at;
      return true;
    }
    const auto& segment = segments[depth];
    if (const auto word = at.words.find(segment);
        word != at.words.end() && look(*word->second, depth + 1))
      return true;
    if (at.placeholder == nullptr || segment.empty())
      return false;
    parameters.emplace_back(&at.placeholder_name, &segment);
    if (look(*at.placeholder, depth + 1))
      return true;
    parameters.pop_back();
    return false;
  }
};

http_router::http_router() : root_(std::make_shared<node>()) {}

http_router& http_router::route(std::string_view method, std::string_view pattern, http_handler h) {
  const auto refuse = [&](const char* why) {
    throw std::invalid_argument("http_router: " + std::string{pattern} + ": " + why);
  };
  if (!is_http_token(method))
    refuse("the method is no token");
  if (!h)
    refuse("there is no handler");
  if (!pattern.starts_with('/'))
    refuse("a pattern begins with \"/\"");
  auto* at = root_.get();
  for (auto rest = pattern; !rest.empty();) {
    const auto segment = next_segment(rest);
    std::unique_ptr<node>* next = nullptr;
    if (segment.size() > 2 && segment.front() == '{' && segment.back() == '}') {
      const auto name = segment.substr(1, segment.size() - 2);
      if (at->placeholder != nullptr && at->placeholder_name != name)
        refuse("a placeholder has two names");
      at->placeholder_name = name;
      next = &at->placeholder;
    } else {
      next = &at->words[std::string{segment}];
    }
    if (*next == nullptr)
      *next = std::make_unique<node>();
    at = next->get();
  }
  if (!at->methods.emplace(method, std::move(h)).second)
    refuse("it has a handler of that method");
  return *this;
}

http_router& http_router::mount(std::string_view prefix, http_handler h) {
  const auto refuse = [&](const char* why) {
    throw std::invalid_argument("http_router: " + std::string{prefix} + ": " + why);
  };
  if (!prefix.starts_with('/'))
    refuse("a prefix begins with \"/\"");
  if (!h)
    refuse("there is no handler");
  if (prefix.ends_with('/'))
    prefix.remove_suffix(1);
  auto* at = root_.get();
  for (auto rest = prefix; !rest.empty();) {
    const auto segment = next_segment(rest);
    if (segment.find_first_of("{}") != std::string_view::npos)
      refuse("a prefix has no placeholders");
    auto& next = at->words[std::string{segment}];
    if (next == nullptr)
      next = std::make_unique<node>();
    at = next.get();
  }
  if (at->mounted)
    refuse("something is mounted there");
  at->mounted = std::move(h);
  return *this;
}

http_handler http_router::handler() const {
  return [root = std::shared_ptr<const node>{root_}](http_request r) -> http_reply {
    const auto path = r.path();
    const auto method = r.method();
    if (!path.starts_with('/')) {
      if (path == "*" && method == "OPTIONS")
        return http_response{};
      return http_response{405, "Not here.\n"}.set("Allow", "OPTIONS");
    }
    // Of a loop, not of each request: most have the same few segments.
    std::vector<std::string> segments;
    std::vector<std::size_t> ends;
    for (auto rest = path; !rest.empty();) {
      const auto segment = next_segment(rest);
      if (segment.find('%') == std::string_view::npos) {
        segments.emplace_back(segment);
      } else {
        auto decoded = percent_decode(segment);
        if (!decoded || decoded->find('\0') != std::string::npos)
          return bad_path();
        segments.push_back(*std::move(decoded));
      }
      ends.push_back(path.size() - rest.size());
    }
    search s{segments, ends};
    s.look(*root, 0);
    if (s.found == nullptr) {
      if (s.mounted == nullptr)
        return http_response{404, "Not Found\n"}.set("X-Content-Type-Options", "nosniff");
      r.set_rest(s.mounted_at);
      return s.mounted->mounted(std::move(r));
    }
    const auto& methods = s.found->methods;
    auto of_method = methods.find(method);
    if (of_method == methods.end() && method == "HEAD")
      of_method = methods.find("GET");
    if (of_method != methods.end()) {
      for (const auto& [name, value] : s.parameters)
        r.add_parameter(*name, *value);
      return of_method->second(std::move(r));
    }
    std::string allowed = methods.contains("OPTIONS") ? "" : "OPTIONS";
    for (const auto& [name, h] : methods) {
      if (!allowed.empty())
        allowed += ", ";
      allowed += name;
      if (name == "GET" && !methods.contains("HEAD"))
        allowed += ", HEAD";
    }
    if (method == "OPTIONS")
      return http_response{204}.set("Allow", allowed);
    return http_response{405, "Method Not Allowed\n"}.set("Allow", allowed);
  };
}

} // namespace troupe
