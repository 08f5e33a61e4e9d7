#include <troupe/net/tls_context.hpp>

#include "tls_settings.hpp"

namespace troupe {

tls_setup_error::tls_setup_error(std::string file, const std::string& reason)
  : std::runtime_error(file.empty() ? reason : file + ": " + reason), file_(std::move(file)) {}

tls_server_context::tls_server_context(const tls_server_options& options)
  : settings_(detail::make_server_settings(options)) {}

const std::vector<std::string>& tls_server_context::warnings() const noexcept {
  return settings_->warnings;
}

tls_client_context::tls_client_context(const tls_client_options& options)
  : settings_(detail::make_client_settings(options)) {}

const std::vector<std::string>& tls_client_context::warnings() const noexcept {
  return settings_->warnings;
}

} // namespace troupe
