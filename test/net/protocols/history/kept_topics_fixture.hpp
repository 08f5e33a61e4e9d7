#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/history/kept_topics.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "faulty_history.hpp"
#include "support/topic_fixture.hpp"

namespace troupe::testing {

/// Kept topics in virtual time over a store that fails as it is told to, and connections that come and go.
struct kept_topics_fixture {
  explicit kept_topics_fixture(kept_topics_options o = {}, memory_history_options m = {})
    : options(o), store(std::make_shared<faulty_history>(m)) {
    open();
  }
  ~kept_topics_fixture() { // stores fail here as a test says; what is told again and again is told by then
    topics.reset();
    rt.advance(std::chrono::minutes(2));
    errors.flush();
  }

  void open() {
    topics.reset();
    topics.emplace(rt, store, options);
    rt.settle();
    room = topics->get("lobby");
  }

  fake_connection& connect(fake_connection::output& out) {
    handles.push_back(rt.spawn_on<fake_connection>(0, &out));
    rt.settle();
    return topic_fixture::connection(handles.back());
  }

  /// Appends, and returns where it is.
  history_position append(std::string_view text, const std::string& id = {}) {
    return value(append_begun(text, id));
  }
  deferred<history_position> append_begun(std::string_view text, const std::string& id = {}) {
    auto& w = writer();
    auto d = rt.in_turn([&] { return room.append(w, text, {.id = id}); });
    rt.settle();
    return d;
  }

  deferred<resumed> resume_begun(fake_connection& who, history_position since,
                                 std::size_t limit = 1000) {
    auto d = rt.in_turn([&] { return room.resume(&who, since, limit); });
    rt.settle();
    return d;
  }
  resumed resume(fake_connection& who, history_position since, std::size_t limit = 1000) {
    return value(resume_begun(who, since, limit));
  }

  template <class T>
  T value(deferred<T> d) {
    rt.settle();
    return success_result_of(std::move(d));
  }

  std::string texts(const history_page& page) {
    std::string all;
    for (const auto& m : page.messages)
      all += m->bytes.text();
    return all;
  }

  fake_connection& writer() {
    if (!writer_)
      writer_ = &connect(unread);
    return *writer_;
  }

  kept_topics_options options;
  fake_connection::output unread;
  manual_runtime rt;
  logged_errors errors{rt};
  std::shared_ptr<faulty_history> store;
  std::vector<caf::actor> handles;
  fake_connection* writer_ = nullptr;
  std::optional<kept_topics> topics;
  kept_topic room;
};

} // namespace troupe::testing
