#pragma once

#include <memory>
#include <string>

#include <troupe/leases/lease_store.hpp>

namespace troupe {

/// A store of leases inside the process, for its runtimes and for tests. What it has is gone with it.
///
/// Thread: any.
class memory_leases final : public lease_store {
public:
  memory_leases();
  ~memory_leases() override;

  [[nodiscard]] std::unique_ptr<lease_link>
  attach(runtime& rt, std::function<void(std::string_view)> freed) override;
  [[nodiscard]] std::string name() const override { return "memory"; }

private:
  struct data;
  class link;
  const std::shared_ptr<data> data_;
};

} // namespace troupe
