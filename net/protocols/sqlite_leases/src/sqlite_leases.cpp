#include <troupe/sqlite_leases/sqlite_leases.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <troupe/leases/lease_errc.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "lease_file.hpp"

namespace troupe {

namespace {

/// A thread that does what the file is asked for, in order.
class sqlite_lease_link final : public lease_link {
public:
  sqlite_lease_link(runtime& rt, const sqlite_leases_options& options)
    : rt_(rt), options_(options), file_(options_), here_(std::make_shared<char>()) {
    try {
      file_.open();
    } catch (const detail::lease_file_error& e) {
      if (!e.busy)
        throw;
    }
    thread_ = std::thread([this] { work(); });
  }

  ~sqlite_lease_link() override {
    {
      const std::lock_guard hold{mutex_};
      ending_ = true;
    }
    more_.notify_one();
    thread_.join();
  }

  deferred<lease_record> read(std::string_view name) override {
    return ask<lease_record>([this, name = std::string{name}] { return file_.read(name); });
  }

  deferred<std::uint64_t> write(std::string_view name, const lease_record& record) override {
    return ask<std::uint64_t>([this, name = std::string{name}, record]() -> outcome<std::uint64_t> {
      if (const auto revision = file_.write(name, record); revision != 0)
        return revision;
      return failure{lease_errc::conflict};
    });
  }

  void watch(std::string_view, bool) override {} // it is looked at again and again

private:
  template <class T, class F>
  deferred<T> ask(F fn) {
    auto made = std::make_shared<promise<T>>();
    auto result = made->get_deferred();
    auto job = [this, made, alive = std::weak_ptr{here_}, fn = std::move(fn)]() mutable {
      // At the end nobody waits for the file: each attempt may take as long as another process holds it.
      auto got = std::make_shared<outcome<T>>(
        ending_ ? outcome<T>{failure{lease_errc::store_unavailable}} : attempt<T>(fn));
      rt_.reactor().call_from_thread([made = std::move(made), alive, got] {
        if (!alive.expired() && !made->called())
          made->fire(std::move(*got));
      });
    };
    {
      const std::lock_guard hold{mutex_};
      jobs_.emplace_back(std::move(job));
    }
    more_.notify_one();
    return result;
  }

  template <class T, class F>
  static outcome<T> attempt(F& fn) {
    try {
      return fn();
    } catch (const detail::lease_file_error& e) {
      std::string text =
        e.what(); // which ends with the text of its code, as that of a failure does
      if (const auto tail = ": " + e.code().message(); text.ends_with(tail))
        text.resize(text.size() - tail.size());
      return failure{e.code(), text};
    } catch (...) { // no memory
      return failure::current();
    }
  }

  void work() {
    std::unique_lock lock{mutex_};
    for (;;) {
      more_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      if (ending_)
        return;
      auto jobs = std::exchange(jobs_, {});
      lock.unlock();
      for (auto& job : jobs)
        job();
      jobs.clear();
      lock.lock();
    }
  }

  runtime& rt_;
  const sqlite_leases_options options_;
  detail::lease_file file_;          // the thread's, once there is one
  const std::shared_ptr<char> here_; // as long as this is
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::function<void()>> jobs_; // guarded by the mutex, as what follows
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

} // namespace

sqlite_leases::sqlite_leases(sqlite_leases_options options) : options_(std::move(options)) {
  if (options_.file.empty() || options_.file == ":memory:")
    throw std::invalid_argument("sqlite_leases_options: `file` names no file; memory_leases is a "
                                "store within the process");
  if (options_.busy < duration::zero() || options_.busy > std::chrono::minutes(1))
    throw std::invalid_argument("sqlite_leases_options: busy is 0 to one minute");
}

sqlite_leases::~sqlite_leases() = default;

std::string sqlite_leases::name() const {
  return "sqlite " + options_.file;
}

std::unique_ptr<lease_link> sqlite_leases::attach(runtime& rt,
                                                  std::function<void(std::string_view)>) {
  return std::make_unique<sqlite_lease_link>(rt, options_);
}

} // namespace troupe
