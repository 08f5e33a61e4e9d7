#pragma once

#include <string>
#include <vector>

#include <troupe/net/factory.hpp>
#include <troupe/runtime/runtime.hpp>

struct chat_service;

/// Returns the factory of the chat's page for browsers, and of the WebSockets by which it talks. Its port has
/// `placement::same_loop`, on loop 0.
///
/// `GET /` is the page, `/chat` the WebSocket; pages of other sites are refused there. Messages are objects of
/// JSON: what a user wants has the key `do`, what the chat tells has `is`.
///
/// | from the page | |
/// | --- | --- |
/// | `{do: "name", name}` | is called so, for the first time or from now on |
/// | `{do: "join", room}`, `{do: "leave", room}` | is in a room too, or no more |
/// | `{do: "say", room, text}` | says something there, line by line |
/// | `{do: "tell", to, text}` | tells one alone |
/// | `{do: "ping"}` | wants to know whether anybody is there |
///
/// | to the page | |
/// | --- | --- |
/// | `{is: "welcome", name}`, `{is: "refused", why, text}` | the name is yours, or not (`taken`, or `wrong`) |
/// | `{is: "room", room, name, here, more}` | you are there, with these, and so many more |
/// | `{is: "parted", room}` | you are not there any more |
/// | `{is: "came", room, who}`, `{is: "left", room, who}` | |
/// | `{is: "renamed", room, from, to}` | |
/// | `{is: "said", room, lines: [[who, text]...]}` | an empty `who` is an action, which begins with a name |
/// | `{is: "told", from, text}`, `{is: "sent", to, text}` | by one alone; that you told is on its way |
/// | `{is: "rooms", rooms: [[name, count]...]}` | which there are, once a second if that has changed |
/// | `{is: "error", text}`, `{is: "pong"}` | |
///
/// `room` is what all names of the room look like (`look_of`). Text and names are `printable`, and nobody's
/// markup.
///
/// \param web_root  a folder with the files of the page, in the place of those in the program; empty is none
/// \throws std::system_error if the folder cannot be opened
[[nodiscard]] troupe::factory_ref make_web_door(troupe::runtime& rt, const chat_service& service,
                                                const std::string& web_root = {});

/// Returns what it speaks over TLS, the best first, for ALPN: HTTP/2, where that is there, and HTTP/1.1.
[[nodiscard]] std::vector<std::string> web_door_protocols();
