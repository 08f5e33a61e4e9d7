#include <troupe/cluster/node_event.hpp>

#include <troupe/runtime/logger.hpp>

namespace troupe {

std::string_view to_string(node_state state) noexcept {
  switch (state) {
  case node_state::up:
    return "up";
  case node_state::suspected:
    return "suspected";
  case node_state::down:
    return "down";
  case node_state::left:
    return "left";
  case node_state::refused:
    return "refused";
  }
  return "unknown";
}

std::string_view to_string(own_state state) noexcept {
  switch (state) {
  case own_state::joining:
    return "joining";
  case own_state::up:
    return "up";
  case own_state::isolated:
    return "isolated";
  case own_state::refused:
    return "refused";
  case own_state::left:
    return "left";
  }
  return "unknown";
}

std::string_view to_string(node_event::kind_type kind) noexcept {
  switch (kind) {
  case node_event::up:
    return "up";
  case node_event::suspected:
    return "suspected";
  case node_event::down:
    return "down";
  case node_event::left:
    return "left";
  case node_event::refused:
    return "refused";
  case node_event::isolated:
    return "isolated";
  case node_event::rejoined:
    return "rejoined";
  case node_event::publications_missed:
    return "publications_missed";
  }
  return "unknown";
}

std::string to_string(const node_event& what) {
  const auto node = "node " + what.node;
  const auto why = what.why ? ": " + what.why.message() : std::string{};
  switch (what.kind) {
  case node_event::up:
    return node + " is up"
           + (what.version.empty() ? "" : ", version " + escape_text(what.version, 64));
  case node_event::suspected:
    return node + " is suspected: it is silent";
  case node_event::down:
    return node + " is down" + why;
  case node_event::left:
    return node + " has left";
  case node_event::refused:
    return node + " is refused" + why;
  case node_event::isolated:
    return node + " is isolated" + why;
  case node_event::rejoined:
    return node + " has rejoined, as incarnation " + std::to_string(what.incarnation);
  case node_event::publications_missed:
    return std::to_string(what.count) + " publications of node " + what.node + " were missed";
  }
  return node;
}

} // namespace troupe
