#pragma once

namespace troupe {

/// Implemented by a protocol that has something to finish when its factory drains: it ends its connection
/// itself, as soon as that is done. The connection of any other is closed at once.
class drainable {
public:
  virtual ~drainable() = default;

  /// The factory drains: begins nothing new, and closes the connection when what is under way is done. Called
  /// at most once for each drain, while there is a connection.
  virtual void drain_requested() = 0;
};

} // namespace troupe
