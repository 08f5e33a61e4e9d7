#include <troupe/net/endpoint.hpp>

namespace troupe {

void connected_protocol::lose_connection() const {
  enter([](protocol& p) {
    if (p.connected())
      p.transport().lose_connection();
  });
}

} // namespace troupe
