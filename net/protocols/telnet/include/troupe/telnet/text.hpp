#pragma once

#include <string>
#include <string_view>

#include <troupe/telnet/codes.hpp>

namespace troupe {

/// Appends `text` as telnet sends it: LF becomes CR LF, a CR that has no LF behind it CR NUL, and 255 is
/// doubled. CR LF stays.
///
/// \param after_cr  whether a CR that ended the text before is still to be followed; changed. A CR at the
///                  end of `text` is held back until what follows it is known, so call it once more with
///                  an empty text and `last` to have it out
/// Source: RFC 854; twisted.conch.telnet.TelnetTransport.write, which leaves a lone CR
void append_telnet_text(std::string& to, std::string_view text, bool& after_cr, bool last = false);

/// Appends `data` with 255 doubled: binary text, and what is inside a subnegotiation.
void append_telnet_escaped(std::string& to, std::string_view data);

/// Appends IAC and the command.
void append_telnet_command(std::string& to, telnet_command c);

/// Appends one of WILL, WONT, DO and DONT, with its option.
void append_telnet_negotiation(std::string& to, telnet_command verb, telnet_option option);

/// Appends a subnegotiation, 255 doubled.
void append_telnet_subnegotiation(std::string& to, telnet_option option, std::string_view data);

} // namespace troupe
