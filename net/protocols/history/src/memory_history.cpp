#include <troupe/history/memory_history.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <troupe/history/history_errc.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace {

std::int64_t since_1970() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

} // namespace

struct memory_history::data {
  struct kept_topic {
    std::deque<kept_ref> messages;
    std::map<std::string, std::uint64_t, std::less<>> ids; // of these
    std::uint64_t last = 0;
  };

  explicit data(memory_history_options o)
    : options(o),
      epoch(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                         std::chrono::system_clock::now().time_since_epoch())
                                         .count())) {}

  const memory_history_options options;
  const std::uint64_t epoch;
  std::map<std::string, kept_topic, std::less<>> topics;
  std::uint64_t last = 0;
  std::size_t bytes = 0;
};

class memory_history::link final : public history_link,
                                   public std::enable_shared_from_this<memory_history::link> {
public:
  link(runtime& rt, std::shared_ptr<data> d, history_events& events)
    : rt_(rt), data_(std::move(d)), events_(&events) {}

  void start() {
    later([this] { events_->history_ready(data_->epoch); });
  }
  void end() noexcept { events_ = nullptr; }

  deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                    std::string_view id) override {
    auto found = data_->topics.find(topic);
    if (found == data_->topics.end())
      found = data_->topics.try_emplace(std::string{topic}).first;
    auto& t = found->second;
    promise<history_position> made;
    auto result = made.get_deferred();
    answer a{std::move(made), {data_->epoch, 0}, {}, {}};
    if (const auto had = id.empty() ? t.ids.end() : t.ids.find(id); had != t.ids.end()) {
      a.at.sequence = had->second;
    } else if (data_->bytes + bytes.size() > data_->options.max_bytes) {
      a.at = {};
    } else {
      a.at.sequence = ++data_->last;
      a.topic = topic;
      a.message = std::make_shared<const kept_message>(kept_message{
        a.at, std::exchange(t.last, a.at.sequence), since_1970(), std::string{id}, bytes});
      if (!id.empty())
        t.ids.emplace(id, a.at.sequence);
      data_->bytes += bytes.size();
      t.messages.push_back(a.message);
      while (t.messages.size() > data_->options.per_topic) {
        data_->bytes -= t.messages.front()->bytes.size();
        t.ids.erase(t.messages.front()->id);
        t.messages.pop_front();
      }
    }
    if (answers_.empty())
      later([this] { tell(); });
    answers_.push_back(std::move(a));
    return result;
  }

  deferred<history_page> read(std::string_view topic, const history_query& q) override {
    history_page page;
    page.epoch = data_->epoch;
    if (const auto found = data_->topics.find(topic); found != data_->topics.end()) {
      const auto& t = found->second;
      page.floor = page.last = t.last;
      std::deque<kept_ref> some;
      std::size_t bytes = 0;
      for (auto i = t.messages.rbegin(); i != t.messages.rend() && some.size() < q.limit; ++i) {
        if ((*i)->at.sequence <= q.after)
          break;
        if (q.before != 0 && (*i)->at.sequence >= q.before)
          continue;
        bytes += (*i)->bytes.size();
        if (bytes > q.max_bytes && !some.empty())
          break;
        some.push_front(*i);
      }
      if (!some.empty())
        page.floor = some.front()->previous;
      page.messages.assign(some.begin(), some.end());
    }
    auto shared = std::make_shared<promise<history_page>>();
    auto result = shared->get_deferred();
    later([shared, page = std::make_shared<history_page>(std::move(page))] {
      shared->callback(std::move(*page));
    });
    return result;
  }

  void follow(std::string_view topic, bool on) override {
    on ? void(followed_.emplace(topic)) : void(followed_.erase(std::string{topic}));
  }

  deferred<void> close() override { return succeed(); }

private:
  struct answer {
    promise<history_position> made;
    history_position at; // no place: it was full
    std::string topic;   // of what is new
    kept_ref message;
  };

  template <class F>
  void later(F fn) {
    rt_.reactor().call_from_thread([weak = weak_from_this(), fn = std::move(fn)]() mutable {
      if (const auto self = weak.lock(); self && self->events_ != nullptr)
        fn();
    });
  }

  void tell() {
    auto answers = std::exchange(answers_, {});
    for (auto& a : answers)
      if (a.message && followed_.contains(a.topic))
        events_->history_kept(a.topic, a.message);
    events_->history_kept_so_far();
    for (auto& a : answers)
      if (a.at.epoch != 0)
        a.made.callback(a.at);
      else
        a.made.errback(
          failure{history_errc::store_full, "memory_history_options::max_bytes is "
                                              + std::to_string(data_->options.max_bytes)});
  }

  runtime& rt_;
  const std::shared_ptr<data> data_;
  history_events* events_; // null: it has ended
  std::unordered_set<std::string> followed_;
  std::vector<answer> answers_;
};

memory_history::memory_history(memory_history_options options)
  : data_(std::make_shared<data>(options)) {}

memory_history::~memory_history() = default;

namespace {

/// What is owned by who attached; what was posted to the loop may be there for longer.
template <class Link>
class owned_link final : public history_link {
public:
  explicit owned_link(std::shared_ptr<Link> of) : of_(std::move(of)) {}
  ~owned_link() override { of_->end(); }
  deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                    std::string_view id) override {
    return of_->append(topic, bytes, id);
  }
  deferred<history_page> read(std::string_view topic, const history_query& query) override {
    return of_->read(topic, query);
  }
  void follow(std::string_view topic, bool on) override { of_->follow(topic, on); }
  deferred<void> close() override { return of_->close(); }

private:
  const std::shared_ptr<Link> of_;
};

} // namespace

std::unique_ptr<history_link> memory_history::attach(runtime& rt, history_events& events) {
  const auto made = std::make_shared<link>(rt, data_, events);
  made->start();
  return std::make_unique<owned_link<link>>(made);
}

} // namespace troupe
