#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <troupe/leases/lease_errc.hpp>
#include <troupe/leases/memory_leases.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::testing {

/// How one program reaches a store, in a test's hands: what it asks may fail, get no answer, or get it late.
class faulty_leases final : public lease_store {
public:
  explicit faulty_leases(lease_store_ref of) : of_(std::move(of)) {}

  enum class fault { none, fails, answers_nothing, loses_answers };

  std::unique_ptr<lease_link> attach(runtime& rt,
                                     std::function<void(std::string_view)> freed) override {
    return std::make_unique<link>(
      *this, of_->attach(rt, [this, freed = std::move(freed)](std::string_view name) {
        if (now == fault::none)
          freed(name);
      }));
  }
  std::string name() const override { return of_->name(); }

  fault now = fault::none;
  int reads = 0;
  int writes = 0;

private:
  class link final : public lease_link {
  public:
    link(faulty_leases& of, std::unique_ptr<lease_link> to) : of_(of), to_(std::move(to)) {}

    deferred<lease_record> read(std::string_view name) override {
      ++of_.reads;
      if (of_.now == fault::none)
        return to_->read(name);
      return refuse<lease_record>();
    }
    deferred<std::uint64_t> write(std::string_view name, const lease_record& record) override {
      ++of_.writes;
      if (of_.now == fault::none)
        return to_->write(name, record);
      if (of_.now == fault::loses_answers)
        to_->write(name, record).add_both([](outcome<std::uint64_t>) {});
      return refuse<std::uint64_t>();
    }
    void watch(std::string_view name, bool on) override { to_->watch(name, on); }

  private:
    template <class T>
    deferred<T> refuse() {
      if (of_.now == fault::fails)
        return fail<T>(failure{lease_errc::store_unavailable, "out of order"});
      auto never = std::make_shared<promise<T>>();
      kept_.push_back(never);
      return never->get_deferred();
    }

    faulty_leases& of_;
    const std::unique_ptr<lease_link> to_;
    std::vector<std::shared_ptr<void>> kept_;
  };

  const lease_store_ref of_;
};

} // namespace troupe::testing
