#include <troupe/net/endpoint.hpp>

#include <stdexcept>

namespace troupe {

protocol* connected_protocol::local_protocol() const {
  auto& p = target();
  if (!p.loop().is_current())
    throw std::logic_error("connected_protocol::local: the protocol is on loop "
                           + std::to_string(p.loop().index())
                           + ", and this is another thread; use enter");
  return p.getf(caf::abstract_actor::is_cleaned_up_flag) ? nullptr : &p;
}

void connected_protocol::lose_connection() const {
  enter([](protocol& p) {
    if (p.connected())
      p.transport().lose_connection();
  });
}

} // namespace troupe
