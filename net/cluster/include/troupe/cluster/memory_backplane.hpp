#pragma once

#include <memory>
#include <string>

#include <troupe/cluster/backplane.hpp>

namespace troupe {

/// A backplane of one process: for tests, and for several runtimes that act as nodes.
///
/// A message is copied once for each receiver, and handed to loop 0 of its runtime. Nothing is lost while
/// both are attached.
///
/// ```cpp
/// auto wire = std::make_shared<troupe::memory_backplane>();
/// troupe::cluster a{first, {.name = "a", .via = wire}};
/// troupe::cluster b{second, {.name = "b", .via = wire}};
/// ```
///
/// Thread: any.
class memory_backplane final : public backplane {
public:
  memory_backplane();
  ~memory_backplane() override;

  [[nodiscard]] std::unique_ptr<backplane_link> attach(const backplane_site& site,
                                                       backplane_events& events) override;
  [[nodiscard]] std::string name() const override { return "memory"; }

private:
  struct exchange;
  class link;
  const std::shared_ptr<exchange> exchange_; // links keep it
};

} // namespace troupe
