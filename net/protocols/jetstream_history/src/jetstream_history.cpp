#include <troupe/jetstream_history/jetstream_history.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "jetstream_link.hpp"

namespace troupe {

namespace {

class jetstream_link final : public history_link {
public:
  explicit jetstream_link(std::shared_ptr<detail::jetstream_core> core) : core_(std::move(core)) {}
  ~jetstream_link() override { core_->end(); }

  deferred<history_position> append(std::string_view topic, const shared_bytes& bytes,
                                    std::string_view id) override {
    return core_->append(topic, bytes, id);
  }
  deferred<history_page> read(std::string_view topic, const history_query& query) override {
    return core_->read(topic, query);
  }
  void follow(std::string_view topic, bool on) override { core_->follow(topic, on); }
  deferred<void> close() override { return core_->close(); }

private:
  const std::shared_ptr<detail::jetstream_core> core_;
};

} // namespace

jetstream_history::jetstream_history(jetstream_history_options options)
  : options_(std::move(options)) {
  const auto& name = options_.name;
  const bool well = !name.empty() && name.size() <= 64 && name == detail::subject_token(name);
  if (!well)
    throw std::invalid_argument("jetstream_history_options: a stream's name has 1 to 64 letters, "
                                "digits, - and _");
  if (options_.per_topic == 0)
    throw std::invalid_argument("jetstream_history_options: per_topic is 0; nothing would be kept");
}

jetstream_history::~jetstream_history() = default;

std::string jetstream_history::name() const {
  return "jetstream " + options_.name;
}

std::unique_ptr<history_link> jetstream_history::attach(runtime& rt, history_events& events) {
  const auto core = std::make_shared<detail::jetstream_core>(rt, options_, events);
  core->start();
  return std::make_unique<jetstream_link>(core);
}

} // namespace troupe
