#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <troupe/nats/nats_credentials.hpp>
#include <troupe/nats/nats_options.hpp>
#include <troupe/nats/nats_server_info.hpp>
#include <troupe/runtime/failure.hpp>

namespace troupe::detail {

/// Returns what a client says of itself: the line CONNECT, without its end.
///
/// \param who   no file: what is in it is `creds`
/// \param tls   whether it is spoken
std::string connect_line(const nats_server_info& server, const nats_options& options,
                         const nats_credentials& who, const std::optional<nats_creds>& creds,
                         bool tls);

/// Returns what a complaint of the server means.
failure failure_of(std::string_view complaint);

/// Tells whether the server ends the connection after this complaint.
bool ends_connection(std::string_view complaint) noexcept;

/// Returns the subject of a complaint about a subscription that is not permitted; nothing of any other.
std::optional<std::string> refused_subscription(std::string_view complaint);

} // namespace troupe::detail
