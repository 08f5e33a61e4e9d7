#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/net/protocol.hpp>
#include <troupe/net/request_codec.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe::detail {

template <class Codec>
class request_core;

template <class Codec>
inline constexpr bool answers_in_order = false;
template <class Codec>
requires requires {
  requires Codec::in_order;
}
inline constexpr bool answers_in_order<Codec> = true;

/// The connection of a `request_client`, on its own loop: encodes requests and decodes answers.
template <class Codec>
class request_connection final : public protocol {
public:
  using request = typename Codec::request;
  using response = typename Codec::response;
  using core = request_core<Codec>;

  request_connection(caf::actor_config& cfg, std::weak_ptr<core> of, event_loop* home, Codec codec,
                     std::size_t max_message)
    : protocol(cfg), core_(std::move(of)), home_(*home), codec_(std::move(codec)),
      max_message_(max_message) {}

  void send(std::uint64_t id, const request& r) {
    if (!connected())
      return; // the client is about to hear of it
    std::string out;
    try {
      codec_.encode(out, id, r);
    } catch (...) {
      return tell([id, why = failure::current()](core& c) { c.refused(id, why); });
    }
    if constexpr (answers_in_order<Codec>)
      order_.push_back(id);
    transport().write(out);
  }

  void forget([[maybe_unused]] std::uint64_t id) {
    if constexpr (requires(std::string & out) { codec_.encode_cancel(out, id); }) {
      static_assert(!answers_in_order<Codec>,
                    "an answer that is to come in order cannot be left out");
      if (!connected())
        return;
      std::string out;
      codec_.encode_cancel(out, id);
      transport().write(out);
    }
  }

  void drop_silent() {
    if (!connected())
      return;
    lose_connection(failure{errc::idle_timed_out, "requests, but no answer"});
    transport().abort_connection();
  }

  void data_received(bytes_view data) override {
    std::string_view in{reinterpret_cast<const char*>(data.data()), data.size()};
    if (!kept_.empty()) {
      kept_.append(in);
      in = kept_;
    }
    std::vector<request_answer<response>> answers;
    const auto hand_over = [&] {
      if (!answers.empty())
        tell([from = id(), all = std::move(answers)](core& c) mutable {
          for (auto& a : all)
            c.answered(from, std::move(a));
        });
    };
    try {
      while (!in.empty()) {
        std::optional<request_answer<response>> next = codec_.decode(in);
        if (!next)
          break;
        if constexpr (answers_in_order<Codec>)
          if (next->id != 0 && !number(*next))
            throw std::system_error(make_error_code(errc::malformed_input),
                                    "an answer without a request");
        answers.push_back(*std::move(next));
      }
    } catch (...) {
      hand_over();
      throw;
    }
    keep(in);
    hand_over();
  }

  void connection_lost(const failure& reason) override {
    tell([which = id(), reason](core& c) { c.lost(which, reason); });
  }

private:
  // The client belongs to its own loop, where it may have ended.
  template <class F>
  void tell(F fn) {
    auto run = [weak = core_, fn = std::move(fn)]() mutable {
      if (const auto alive = weak.lock())
        fn(*alive);
    };
    if (home_.is_current())
      run();
    else
      home_.post(std::move(run));
  }

  bool number(request_answer<response>& answer) {
    if (order_.empty())
      return false;
    answer.id = order_.front();
    order_.pop_front();
    return true;
  }

  void keep(std::string_view rest) {
    if (rest.size() > max_message_)
      lose_connection(failure{errc::message_too_long, "an answer"});
    else if (!kept_.empty() && rest.data() != kept_.data())
      kept_.erase(0, kept_.size() - rest.size());
    else if (kept_.empty())
      kept_.assign(rest);
    if (kept_.empty())
      kept_ = std::string{}; // an idle connection stays small
  }

  const std::weak_ptr<core> core_;
  event_loop& home_;
  Codec codec_;
  const std::size_t max_message_;
  std::string kept_;                // the beginning of an answer
  std::deque<std::uint64_t> order_; // of requests, if answers come in theirs
};

} // namespace troupe::detail
