#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/net/file_descriptor.hpp>

namespace troupe::testing {

/// Makes a file in memory with that name, to be passed around.
file_descriptor named_descriptor(const std::string& name);

/// Returns the name that `named_descriptor` gave to what `fd` refers to.
std::string name_of(const file_descriptor& fd);

/// Connects a blocking socket of the system to a UNIX socket.
file_descriptor connect_plainly(const std::string& path);

/// Sends with one call; without `wait`, returns false if the socket takes nothing.
bool send_with(int socket, std::string_view text, const std::vector<int>& descriptors,
               bool wait = true);

/// What one call received.
struct parcel {
  std::string text;
  std::vector<file_descriptor> descriptors;
};

/// Receives with one call; waits ten seconds at most, and then throws. No text is the end.
parcel receive_with(int socket, std::size_t most = 65536);

} // namespace troupe::testing
