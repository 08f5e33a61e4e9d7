#include <troupe/leases/memory_leases.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <troupe/leases/lease_errc.hpp>
#include <troupe/runtime/outcome.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

struct memory_leases::data {
  std::mutex mutex;
  std::map<std::string, lease_record, std::less<>> records;
  std::uint64_t last = 0;
  std::vector<link*> links;
};

class memory_leases::link final : public lease_link {
public:
  link(runtime& rt, std::shared_ptr<data> d, std::function<void(std::string_view)> freed)
    : rt_(rt), data_(std::move(d)),
      freed_(std::make_shared<std::function<void(std::string_view)>>(std::move(freed))) {
    const std::lock_guard hold{data_->mutex};
    data_->links.push_back(this);
  }
  ~link() override {
    const std::lock_guard hold{data_->mutex};
    std::erase(data_->links, this);
  }

  deferred<lease_record> read(std::string_view name) override {
    lease_record found;
    {
      const std::lock_guard hold{data_->mutex};
      if (const auto at = data_->records.find(name); at != data_->records.end())
        found = at->second;
    }
    return answer<lease_record>(std::move(found));
  }

  deferred<std::uint64_t> write(std::string_view name, const lease_record& record) override {
    std::uint64_t made = 0;
    {
      const std::lock_guard hold{data_->mutex};
      auto& present = data_->records[std::string{name}];
      if (present.revision == record.revision) {
        present = record;
        made = present.revision = ++data_->last;
        if (record.holder.empty())
          for (auto* const l : data_->links)
            l->tell(std::string{name});
      }
    }
    if (made == 0)
      return answer<std::uint64_t>(failure{lease_errc::conflict});
    return answer<std::uint64_t>(made);
  }

  void watch(std::string_view name, bool on) override {
    const std::lock_guard hold{data_->mutex};
    if (on)
      watched_.emplace(name);
    else if (const auto at = watched_.find(name); at != watched_.end())
      watched_.erase(at);
  }

private:
  template <class T>
  deferred<T> answer(outcome<T> what) {
    auto made = std::make_shared<promise<T>>();
    auto result = made->get_deferred();
    rt_.reactor().call_from_thread(
      [made, alive = std::weak_ptr{freed_}, what = std::make_shared<outcome<T>>(std::move(what))] {
        if (!alive.expired() && !made->called())
          made->fire(std::move(*what));
      });
    return result;
  }

  void tell(std::string name) { // the mutex is held
    if (watched_.contains(name))
      rt_.reactor().call_from_thread([weak = std::weak_ptr{freed_}, name = std::move(name)] {
        if (const auto freed = weak.lock())
          (*freed)(name);
      });
  }

  runtime& rt_;
  const std::shared_ptr<data> data_;
  const std::shared_ptr<std::function<void(std::string_view)>> freed_; // as long as this is
  std::set<std::string, std::less<>> watched_;                         // guarded by the mutex
};

memory_leases::memory_leases() : data_(std::make_shared<data>()) {}

memory_leases::~memory_leases() = default;

std::unique_ptr<lease_link> memory_leases::attach(runtime& rt,
                                                  std::function<void(std::string_view)> freed) {
  return std::make_unique<link>(rt, data_, std::move(freed));
}

} // namespace troupe
