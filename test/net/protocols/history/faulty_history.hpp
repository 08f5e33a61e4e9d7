#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <troupe/history/history_errc.hpp>
#include <troupe/history/memory_history.hpp>

namespace troupe::testing {

/// A store in memory with accidents: what a test says comes late, or never.
class faulty_history final : public history_store {
public:
  struct faults {
    bool hold_reads = false; // until `let_read`
    bool fail_reads = false;
    bool fail_appends = false;
    bool hold_appends = false; // for ever
    std::size_t lose_live = 0; // so many of what is told live are lost
    std::size_t reads = 0;     // that were asked for
    std::function<void(history_page&)> spoil = [](history_page&) {
    };                                                            // what is read
    std::function<void(std::shared_ptr<memory_history>)> replace; // the store, by another one
    std::deque<std::pair<promise<history_page>, history_page>> held;
    std::vector<promise<history_position>> never;
    history_events* events = nullptr;
    void let_read(std::size_t most = SIZE_MAX) {
      for (; most > 0 && !held.empty(); --most) {
        auto [to, page] = std::move(held.front());
        held.pop_front();
        to.callback(std::move(page));
      }
    }
    void fail_read() {
      for (auto& [to, page] : std::exchange(held, {}))
        to.errback(failure{history_errc::store_failed, "on purpose"});
    }
  };

  explicit faulty_history(memory_history_options options = {})
    : inner_(std::make_shared<memory_history>(options)) {}

  std::unique_ptr<history_link> attach(runtime& rt, history_events& events) override {
    now->events = &events;
    return std::make_unique<link>(rt, *inner_, events, now);
  }
  std::string name() const override { return "faulty"; }
  const std::shared_ptr<memory_history>& inner() const { return inner_; }

  const std::shared_ptr<faults> now = std::make_shared<faults>();

private:
  class link final : public history_link, private history_events {
  public:
    link(runtime& rt, history_store& inner, history_events& events, std::shared_ptr<faults> f)
      : events_(events), f_(std::move(f)), inner_(inner.attach(rt, *this)) {
      f_->replace = [this, &rt](std::shared_ptr<memory_history> by) {
        events_.history_lost(failure{history_errc::store_unavailable});
        inner_ = by->attach(rt, *this);
        another_ = std::move(by);
        for (const auto& topic : followed_)
          inner_->follow(topic, true);
      };
    }

    deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                      std::string_view id) override {
      if (f_->fail_appends)
        return fail<history_position>(failure{history_errc::store_failed, "on purpose"});
      if (f_->hold_appends) {
        f_->never.emplace_back();
        return f_->never.back().get_deferred();
      }
      return inner_->append(topic, bytes, id);
    }
    deferred<history_page> read(std::string_view topic, const history_query& query) override {
      ++f_->reads;
      if (f_->fail_reads)
        return fail<history_page>(failure{history_errc::store_failed, "on purpose"});
      auto page = inner_->read(topic, query).add_callback([f = f_](history_page got) {
        f->spoil(got);
        return got;
      });
      if (!f_->hold_reads)
        return page;
      promise<history_page> later;
      auto result = later.get_deferred();
      std::move(page).add_callback([this, p = std::move(later)](history_page got) mutable {
        f_->held.emplace_back(std::move(p), std::move(got));
      });
      return result;
    }
    void follow(std::string_view topic, bool on) override {
      on ? void(followed_.emplace(topic)) : void(followed_.erase(std::string{topic}));
      inner_->follow(topic, on);
    }
    deferred<void> close() override { return inner_->close(); }

  private:
    void history_ready(std::uint64_t epoch) override { events_.history_ready(epoch); }
    void history_lost(const failure& why) override { events_.history_lost(why); }
    void history_kept(std::string_view topic, kept_ref message) override {
      if (f_->lose_live > 0)
        --f_->lose_live;
      else
        events_.history_kept(topic, std::move(message));
    }
    void history_kept_so_far() override { events_.history_kept_so_far(); }

    history_events& events_;
    const std::shared_ptr<faults> f_;
    std::set<std::string> followed_;
    std::shared_ptr<memory_history> another_;
    std::unique_ptr<history_link> inner_;
  };

  const std::shared_ptr<memory_history> inner_;
};

} // namespace troupe::testing
