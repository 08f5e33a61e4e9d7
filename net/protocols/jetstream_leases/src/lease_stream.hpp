#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/jetstream_leases/jetstream_leases.hpp>
#include <troupe/leases/lease_errc.hpp>
#include <troupe/nats/jetstream.hpp>
#include <troupe/nats/nats_connection.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// The connection, the stream, and what is read and written there. Who waits for the server keeps it alive. In two files: lease_stream.cpp (the
/// stream, and which one it is) and lease_records.cpp.
class lease_stream final : public std::enable_shared_from_this<lease_stream> {
public:
  lease_stream(runtime& rt, const jetstream_leases_options& options,
               std::function<void(std::string_view)> freed)
    : rt_(rt), options_(options), freed_(std::move(freed)) {}

  void start();
  void end(); ///< nothing is told any more

  deferred<lease_record> read(std::string_view name);
  deferred<std::uint64_t> write(std::string_view name, const lease_record& record);
  void watch(std::string_view name, bool on);

private:
  void connect();
  void happened(const nats_event& e);
  void lost(const failure& why);
  [[nodiscard]] failure meaning_of(const failure& why);

  [[nodiscard]] stream_config config() const;
  void look_for_stream();
  void have_looked(outcome<stream_info> got);
  void have_base(outcome<std::uint64_t> got);
  [[nodiscard]] std::string base_subject() const;
  deferred<std::uint64_t> read_base();
  deferred<std::uint64_t> write_base(std::uint64_t base);
  deferred<std::uint64_t> base_of(const stream_info& stream);
  deferred<void> still(std::uint64_t base);

  [[nodiscard]] lease_record nothing() const;
  void subscribe(const std::string& name, nats_subscription& into);
  [[nodiscard]] std::string held_subject(std::string_view name) const;
  [[nodiscard]] std::string free_subject(std::string_view name) const;
  [[nodiscard]] jetstream_options settings() const;

  runtime& rt_;
  const jetstream_leases_options options_;
  const std::function<void(std::string_view)> freed_;
  std::unique_ptr<nats_connection> nats_;
  std::map<std::string, nats_subscription, std::less<>> watched_;
  failure why_not_{lease_errc::store_unavailable, "not connected yet"};
  std::uint64_t base_ = 0; // of the stream; 0: none has been seen
  bool ready_ = false;
  bool looking_ = false;
  bool made_anew_ = false;
  bool warned_ = false;
  bool over_ = false;
};

} // namespace troupe::detail
