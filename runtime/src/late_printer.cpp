#include "late_printer.hpp"

#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/logger.hpp>
#include <caf/make_actor.hpp>

namespace troupe::detail {

void late_printer::owner::enqueue(caf::resumable* job) {
  system().scheduler().enqueue(job);
}

caf::actor_clock& late_printer::owner::clock() noexcept {
  return system().scheduler().clock();
}

caf::actor late_printer::make(caf::actor_system& sys) {
  caf::actor_config cfg;
  return caf::make_actor<late_printer, caf::actor>(sys.next_actor_id(), sys.node(), &sys, cfg);
}

void late_printer::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) {
  caf::actor printer;
  {
    const std::lock_guard lock{mutex_};
    if (!owner_ && !stopped_) {
      owner_.emplace(home_system()).start();
      CAF_SET_LOGGER_SYS(nullptr); // left behind by CAF's spawn, it would slow every actor down
    }
    if (owner_)
      printer = owner_->printer();
  }
  if (printer)
    printer->enqueue(std::move(what), context);
}

void late_printer::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
  }
  if (owner_ && owner_->printer()) // null if it could not be begun, for want of a thread
    owner_->stop();
  cleanup(caf::exit_reason::user_shutdown, nullptr);
}

} // namespace troupe::detail
