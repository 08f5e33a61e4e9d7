#include <troupe/jetstream_leases/jetstream_leases.hpp>

#include <functional>
#include <stdexcept>
#include <utility>

#include "lease_stream.hpp"
#include "lease_text.hpp"

namespace troupe {

namespace {

class jetstream_lease_link final : public lease_link {
public:
  explicit jetstream_lease_link(std::shared_ptr<detail::lease_stream> of) : of_(std::move(of)) {}
  ~jetstream_lease_link() override { of_->end(); }
  deferred<lease_record> read(std::string_view name) override { return of_->read(name); }
  deferred<std::uint64_t> write(std::string_view name, const lease_record& record) override {
    return of_->write(name, record);
  }
  void watch(std::string_view name, bool on) override { of_->watch(name, on); }

private:
  const std::shared_ptr<detail::lease_stream> of_;
};

} // namespace

jetstream_leases::jetstream_leases(jetstream_leases_options options)
  : options_(std::move(options)) {
  const auto& name = options_.name;
  if (name.empty() || name.size() > 64 || name != detail::lease_token(name))
    throw std::invalid_argument("jetstream_leases_options: a stream's name has 1 to 64 letters, "
                                "digits, - and _");
  if (options_.timeout <= duration::zero() || options_.settle < duration::zero())
    throw std::invalid_argument(
      "jetstream_leases_options: timeout is longer than 0, and settle not shorter");
}

jetstream_leases::~jetstream_leases() = default;

std::string jetstream_leases::name() const {
  return "jetstream " + options_.name;
}

std::unique_ptr<lease_link> jetstream_leases::attach(runtime& rt,
                                                     std::function<void(std::string_view)> freed) {
  auto made = std::make_shared<detail::lease_stream>(rt, options_, std::move(freed));
  made->start();
  return std::make_unique<jetstream_lease_link>(std::move(made));
}

} // namespace troupe
