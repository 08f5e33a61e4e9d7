#include <troupe/http/http_cors.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/http/http_text.hpp>

namespace troupe {

namespace {

std::string join(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& one : list) {
    if (!is_http_token(one))
      throw std::invalid_argument("allow_origins: no name: " + one);
    text += text.empty() ? one : ", " + one;
  }
  return text;
}

} // namespace

http_handler allow_origins(http_cors_options options, http_handler inner) {
  const bool any = std::ranges::find(options.origins, "*") != options.origins.end();
  if (any && options.credentials)
    throw std::invalid_argument("allow_origins: credentials are not for any origin");
  for (const auto& origin : options.origins)
    if (!is_http_field_value(origin))
      throw std::invalid_argument("allow_origins: no origin: " + origin);
  return [options, any, methods = join(options.methods), fields = join(options.fields),
          inner = std::move(inner)](http_request r) -> http_reply {
    const std::string origin{r.field("Origin").value_or(std::string_view{})};
    const bool allowed =
      !origin.empty()
      && (any || std::ranges::find(options.origins, origin) != options.origins.end());
    const auto add = [any, allowed, origin, credentials = options.credentials](http_response& to) {
      if (!any)
        to.add_to_list("Vary", "Origin");
      if (!allowed)
        return;
      to.set("Access-Control-Allow-Origin", any ? std::string{"*"} : origin);
      if (credentials)
        to.set("Access-Control-Allow-Credentials", "true");
    };
    if (r.method() == "OPTIONS" && !origin.empty() && r.field("Access-Control-Request-Method")) {
      http_response preflight{204};
      add(preflight);
      if (allowed) {
        if (!methods.empty())
          preflight.set("Access-Control-Allow-Methods", methods);
        if (!fields.empty())
          preflight.set("Access-Control-Allow-Headers", fields);
        preflight.set("Access-Control-Max-Age", std::to_string(options.max_age.count()));
      }
      return preflight;
    }
    return inner(std::move(r)).then(add);
  };
}

} // namespace troupe
