#include <troupe/actors/service.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe {

// -- service ------------------------------------------------------------------------------------

deferred<void> service::start_service() {
  running_ = true;
  return succeed();
}

deferred<void> service::stop_service() {
  running_ = false;
  return succeed();
}

void service::set_name(std::string name) {
  if (parent_ != nullptr)
    throw std::logic_error("set_name: cannot change the name of a service that has a parent");
  name_ = std::move(name);
}

chained<void> service::set_service_parent(multi_service& parent) {
  if (parent_ == nullptr)
    return parent.add_service(shared_from_this());
  return disown_service_parent().add_callback([self = shared_from_this(), to = parent.self_] {
    if (*to == nullptr)
      throw std::logic_error("set_service_parent: the parent is gone");
    return (*to)->add_service(self);
  });
}

chained<void> service::disown_service_parent() {
  if (parent_ == nullptr)
    throw std::logic_error("disown_service_parent: there is no parent");
  return parent_->remove_service(shared_from_this());
}

// -- multi_service ------------------------------------------------------------------------------

multi_service::multi_service() : self_(std::make_shared<multi_service*>(this)) {}

multi_service::~multi_service() {
  *self_ = nullptr;
  for (const auto& s : services_)
    s->parent_ = nullptr;
}

void multi_service::privileged_start_service() {
  service::privileged_start_service();
  for (std::size_t i = 0; i < services_.size(); ++i)
    services_[i]->privileged_start_service();
}

deferred<void> multi_service::start_service() {
  running_ = true;
  return start_rest();
}

// Whom to start is looked for anew each time: services may come and go meanwhile.
deferred<void> multi_service::start_rest() {
  for (;;) {
    const auto next =
      std::find_if(services_.begin(), services_.end(), [](const auto& s) { return !s->begun_; });
    if (next == services_.end() || !running_)
      return succeed();
    auto started = begin(**next);
    if (!started.ready())
      return std::move(started).add_callback(
        [self = self_] { return *self != nullptr ? (*self)->start_rest() : succeed(); });
    if (auto how = std::move(started).take(); !how)
      return fail(how.error());
  }
}

deferred<void> multi_service::begin(service& s) {
  s.begun_ = true;
  return maybe_deferred([&] { return s.start_service(); });
}

deferred<void> multi_service::end(service& s) {
  if (!std::exchange(s.begun_, false))
    return succeed(); // it was never started
  return maybe_deferred([&] { return s.stop_service(); });
}

deferred<void> multi_service::stop_service() {
  struct wait {
    std::size_t left = 1;
    failure first;
    promise<void> done;
    void one_less() {
      if (--left > 0)
        return;
      if (first)
        done.errback(first);
      else
        done.callback();
    }
  };
  const auto all = std::make_shared<wait>();
  auto result = all->done.get_deferred();
  running_ = false;
  auto backwards = services_;
  std::reverse(backwards.begin(), backwards.end());
  for (const auto& s : backwards) {
    ++all->left;
    end(*s).add_both([all](outcome<void> how) {
      if (!how && !all->first)
        all->first = how.error();
      all->one_less();
    });
  }
  all->one_less();
  return result;
}

chained<void> multi_service::add_service(std::shared_ptr<service> s) {
  if (s->parent_ != nullptr)
    throw std::logic_error("add_service: the service has a parent");
  if (!s->name_.empty() && get_service_named(s->name_))
    throw std::logic_error("add_service: there is a service named " + s->name_ + " already");
  s->parent_ = this;
  services_.push_back(s);
  if (!running())
    return chained<void>{succeed()};
  return chained<void>{maybe_deferred([&] {
    s->privileged_start_service();
    return begin(*s);
  })};
}

chained<void> multi_service::remove_service(const std::shared_ptr<service>& s) {
  const auto found = std::find(services_.begin(), services_.end(), s);
  if (found == services_.end())
    throw std::logic_error("remove_service: it is not one of these");
  const auto kept = s; // `s` may be the element
  services_.erase(found);
  kept->parent_ = nullptr;
  return chained<void>{end(*kept).add_both([kept](outcome<void> how) { return how; })};
}

std::shared_ptr<service> multi_service::get_service_named(const std::string& name) const {
  for (const auto& s : services_)
    if (s->service_name() == name)
      return s;
  return nullptr;
}

} // namespace troupe
