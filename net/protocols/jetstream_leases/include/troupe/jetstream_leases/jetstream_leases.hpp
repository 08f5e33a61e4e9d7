#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <troupe/leases/lease_store.hpp>
#include <troupe/nats/jetstream_types.hpp>
#include <troupe/nats/nats_options.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Which stream keeps leases.
struct jetstream_leases_options {
  /// The servers, and who we are. The connection is this store's own, is asked whether it is there at least each second, and
  /// is tried again at least that often.
  nats_options nats{};

  /// The stream's, and what its subjects begin with: 1 to 64 letters, digits, `-` and `_`.
  std::string name = "leases";

  std::size_t replicas = 1; ///< servers that have a copy: 1, 3 or 5
  stream_storage storage = stream_storage::file;

  /// How long a request may wait for its answer.
  duration timeout = std::chrono::seconds(1);

  /// If the stream is made anew while this program runs, nobody knows who had which lease: none is given for so long. At
  /// least the longest `leases_options::ttl` of those who share it.
  duration settle = std::chrono::seconds(5);
};

/// A store of leases in a stream of NATS, which has the latest record of each: for processes on many machines.
///
/// The stream is made if it is not there. One of that name that has another configuration is left alone, and the store is
/// away (`lease_errc::wrong_store`) until that is changed.
class jetstream_leases final : public lease_store {
public:
  /// \throws std::invalid_argument if an option makes no sense
  explicit jetstream_leases(jetstream_leases_options options);
  ~jetstream_leases() override;

  [[nodiscard]] std::unique_ptr<lease_link>
  attach(runtime& rt, std::function<void(std::string_view)> freed) override;
  [[nodiscard]] std::string name() const override;

private:
  const jetstream_leases_options options_;
};

} // namespace troupe
