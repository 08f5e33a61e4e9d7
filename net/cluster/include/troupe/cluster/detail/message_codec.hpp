#pragma once

#include <cstddef>
#include <string>

#include <caf/fwd.hpp>
#include <caf/message.hpp>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/outcome.hpp>

/// Messages of actors as bytes, by the `inspect` functions of their values.
///
/// ```
/// number of values, then of each:  number of its type, or 0 and the type's name;  its value
/// zeros, as many as the elements of its sequences outnumber the bytes of the values
/// ```
///
/// Numbers have their full width, little-endian; floating-point numbers their bits, so that each value comes
/// back as it was, infinities and NaNs among them. Sequences have their length before them.
/// The zeros make a message as long as it claims to be large: a reader need not believe a length that is greater
/// than what there is, and still takes a million values that take no bytes.
namespace troupe::detail {

/// The most values that a message may have.
inline constexpr std::size_t most_values = 255;

/// Tells whether a message may travel, by the types of its values: nothing of it is read.
///
/// \returns `errc::none`, or `errc::not_supported` with a text that names the type and what to do
/// Thread: any.
[[nodiscard]] failure may_travel(caf::actor_system& system, const caf::type_erased_tuple& content);

/// Appends the bytes of a message.
///
/// \returns `errc::none`, or why it cannot be sent: `errc::not_supported` for a value that has no bytes,
/// `errc::exception` for what an `inspect` threw; `out` is then as it was
/// Thread: any.
[[nodiscard]] failure write_message(std::string& out, caf::actor_system& system,
                                    const caf::type_erased_tuple& content);

/// Reads what `write_message` has written, whoever says that it did.
///
/// Fails with: `errc::malformed_input`; `errc::not_supported` for a type that this program does not know;
/// `errc::exception` for what an `inspect` threw.
/// Thread: any.
[[nodiscard]] outcome<caf::message> read_message(caf::actor_system& system, bytes_view bytes);

} // namespace troupe::detail
