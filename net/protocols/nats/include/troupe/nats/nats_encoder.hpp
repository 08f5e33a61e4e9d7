#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// What a client says to a NATS server, appended to `out`. Nothing is checked here: subjects are valid
/// (`valid_nats_subject`), blocks of headers are what `nats_headers::block` returns.
///
/// Thread: any. Source: the NATS client protocol
namespace nats_encoder {

/// Appends the line in front of a payload; that and CR LF follow.
void append_publish_line(std::string& out, std::string_view subject, std::string_view reply,
                         std::size_t payload);

/// As above, in front of a block of headers, which the payload follows.
void append_publish_line(std::string& out, std::string_view subject, std::string_view reply,
                         std::size_t headers, std::size_t payload);

/// Appends all of a publication; an empty block of headers is none.
void append_publish(std::string& out, std::string_view subject, std::string_view reply,
                    std::string_view header_block, std::string_view payload);

/// \param queue  the group that shares the messages; empty: none
void append_subscribe(std::string& out, std::string_view pattern, std::string_view queue,
                      std::uint64_t sid);

/// \param after  how many messages the subscription may have in all; 0: it ends now
void append_unsubscribe(std::string& out, std::uint64_t sid, std::uint64_t after = 0);

} // namespace nats_encoder

} // namespace troupe
