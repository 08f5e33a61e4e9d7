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

bool can_be_decoded(std::string_view path) {
  while (!path.empty()) {
    const auto decoded = percent_decode(next_segment(path));
    if (!decoded || decoded->find('\0') != std::string::npos)
      return false;
  }
  return true;
}

http_response bad_path() {
  return {400, "The path cannot be decoded.\n"};
}

} // namespace

// The way through the tree for one path. What is the most specific is tried first.
struct http_router::search {
  std::string_view path; // whose segments can all be decoded
  std::vector<std::pair<const std::string*, std::string>> parameters{};
  const node* found = nullptr;
  const node* mounted = nullptr;
  std::size_t mounted_at = 0;

  // Goes on with the rest of the path at this place.
  bool look(const node& at, std::string_view rest) {
    const auto here = path.size() - rest.size();
    if (at.mounted && (mounted == nullptr || here > mounted_at)) {
      mounted = &at;
      mounted_at = here;
    }
    if (rest.empty()) {
      if (at.methods.empty())
        return false;
      found = &at;
      return true;
    }
    auto segment = next_segment(rest);
    std::string decoded;
    if (segment.find('%') != std::string_view::npos)
      segment = decoded = percent_decode(segment).value();
    if (const auto word = at.words.find(segment);
        word != at.words.end() && look(*word->second, rest))
      return true;
    if (at.placeholder == nullptr || segment.empty())
      return false;
    parameters.emplace_back(&at.placeholder_name, segment);
    if (look(*at.placeholder, rest))
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
    if (path.find('%') != std::string_view::npos && !can_be_decoded(path))
      return bad_path();
    search s{path};
    s.look(*root, path);
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
      for (auto& [name, value] : s.parameters)
        r.add_parameter(*name, std::move(value));
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
