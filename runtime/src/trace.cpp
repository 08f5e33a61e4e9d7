// The way of a message through actors and loops.
#include <troupe/runtime/trace.hpp>

#include <memory>
#include <mutex>
#include <random>
#include <typeinfo>
#include <utility>

#include <asio/execution_context.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include "log.hpp"
#include "tracing.hpp"

namespace troupe {

namespace detail {

constinit std::atomic<unsigned> runtimes_that_trace{0};

namespace {

thread_local constinit trace_context present_trace;

std::uint64_t next_trace_number() {
  static thread_local std::mt19937_64 numbers{[] {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }()};
  for (;;)
    if (const auto n = numbers(); n != 0)
      return n;
}

/// A message that belongs to a trace. It is what it was in all else, so that whoever does not know of traces, such
/// as an actor that skips it until they are turned off, handles it as any other.
class traced_message final : public caf::mailbox_element {
public:
  traced_message(caf::mailbox_element_ptr what, trace_context of, time_point when)
    : caf::mailbox_element(std::move(what->sender), what->mid, std::move(what->stages)), from(of),
      sent(when), inner_(std::move(what)) {}

  caf::type_erased_tuple& content() override { return inner_->content(); }
  const caf::type_erased_tuple& content() const override {
    return std::as_const(*inner_).content();
  }
  caf::message move_content_to_message() override { return inner_->move_content_to_message(); }
  caf::message copy_content_to_message() const override {
    return inner_->copy_content_to_message();
  }

  const trace_context from;
  const time_point sent;

private:
  caf::mailbox_element_ptr inner_;
};

using trace_hook = std::function<void(const trace_span&)>;

/// Keeps the hook of a runtime, at its first loop.
class trace_service final : public asio::execution_context::service {
public:
  using key_type = trace_service;
  static inline asio::execution_context::id id;
  explicit trace_service(asio::execution_context& context) : service(context) {}

  void set(trace_hook fn) {
    auto next = fn ? std::make_shared<const trace_hook>(std::move(fn)) : nullptr;
    const std::lock_guard hold{mutex_};
    if ((next != nullptr) != (hook_ != nullptr)) {
      if (next)
        runtimes_that_trace.fetch_add(1, std::memory_order_relaxed);
      else
        runtimes_that_trace.fetch_sub(1, std::memory_order_relaxed);
    }
    hook_.swap(next);
  }
  std::shared_ptr<const trace_hook> get() {
    const std::lock_guard hold{mutex_};
    return hook_;
  }

private:
  void shutdown() override { set({}); }

  std::mutex mutex_;
  std::shared_ptr<const trace_hook> hook_;
};

std::shared_ptr<const trace_hook> trace_hook_of(loop_scheduler& scheduler) {
  return asio::use_service<trace_service>(scheduler.loop(0).io()).get();
}

void note_failed_hook(loop_scheduler& scheduler) noexcept {
  try {
    scheduler.repeats().note("trace hook", log_level::error, [] {
      return "unhandled exception in the hook of trace_messages: " + failure::current().message();
    });
  } catch (...) { // no memory
  }
}

// Calls the hook, outside of the trace.
void tell_span(loop_scheduler& scheduler, const trace_span& span) noexcept {
  const auto before = std::exchange(present_trace, {});
  try {
    if (const auto hook = trace_hook_of(scheduler))
      (*hook)(span);
  } catch (...) {
    note_failed_hook(scheduler);
  }
  present_trace = before;
}

} // namespace

caf::mailbox_element_ptr with_trace(caf::mailbox_element_ptr what) {
  if (!present_trace || is_of_the_system(what->content())
      || !(what->mid.is_normal_message() || what->mid.is_urgent_message())
      || dynamic_cast<traced_message*>(what.get()) != nullptr)
    return what;
  return caf::mailbox_element_ptr{
    new traced_message(std::move(what), present_trace, event_loop::now())};
}

traced_visit::traced_visit(const caf::mailbox_element& x, const caf::scheduled_actor& actor) {
  const auto* const traced = dynamic_cast<const traced_message*>(&x);
  auto* const loop = event_loop::current();
  if (traced == nullptr || loop == nullptr)
    return;
  try {
    span_.name = class_name(typeid(actor));
    span_.message = is_internal(x.content()) ? "a call" : describe_message(x.content());
    span_.here = {traced->from.trace, next_trace_number()};
  } catch (...) {
    return; // without memory it is not traced
  }
  span_.parent = traced->from.span;
  span_.actor = actor.id();
  span_.loop = loop->index();
  span_.sent = traced->sent;
  span_.began = loop->time();
  before_ = std::exchange(present_trace, span_.here);
  inside_ = tells_ = true;
}

void traced_visit::end() noexcept {
  if (!inside_)
    return;
  present_trace = before_;
  auto* const loop = event_loop::current();
  if (!tells_ || loop == nullptr)
    return;
  span_.ended = loop->time();
  tell_span(loop->scheduler(), span_);
}

} // namespace detail

void trace_messages(runtime& rt, std::function<void(const trace_span&)> hook) {
  asio::use_service<detail::trace_service>(rt.scheduler().loop(0).io()).set(std::move(hook));
}

trace_context current_trace() noexcept {
  return detail::present_trace;
}

trace_scope::trace_scope(event_loop& loop, std::string_view name, trace_context from)
  : loop_(loop), before_(detail::present_trace) {
  loop_.expect_here("trace_scope", "make it where the messages are sent");
  if (!detail::traces() || !detail::trace_hook_of(loop.scheduler()))
    return;
  span_.name = name;
  span_.here = {from ? from.trace : detail::next_trace_number(), detail::next_trace_number()};
  span_.parent = from.span;
  span_.loop = loop.index();
  span_.sent = span_.began = loop.time();
  detail::present_trace = span_.here;
}

trace_scope::~trace_scope() {
  if (!span_.here)
    return;
  detail::present_trace = before_;
  span_.ended = loop_.time();
  detail::tell_span(loop_.scheduler(), span_);
}

} // namespace troupe
