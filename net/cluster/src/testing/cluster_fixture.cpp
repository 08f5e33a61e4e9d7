#include <troupe/testing/cluster_fixture.hpp>

#include <charconv>
#include <stdexcept>
#include <utility>

#include <caf/send.hpp>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/manual_clock.hpp>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

// Numbers that have nothing to do with each other, of seeds that lie beside each other (splitmix64).
std::uint64_t mix(std::uint64_t n) noexcept {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

std::string name_of(std::size_t number) {
  return "n" + std::to_string(number);
}

template <class N>
N take_number(std::string_view& from) {
  N n{};
  const auto end = std::from_chars(from.data(), from.data() + from.size(), n).ptr;
  from.remove_prefix(static_cast<std::size_t>(end - from.data()));
  if (!from.empty())
    from.remove_prefix(1);
  return n;
}

} // namespace

/// One node, and what the checker knows of it.
struct cluster_fixture::one {
  std::size_t number = 0;
  std::uint64_t life = 0; // how often it was started
  std::unique_ptr<manual_clock> clock;
  std::unique_ptr<troupe::cluster> node;
  std::optional<topics> rooms;
  caf::actor ear;
  bool stopped = false;
  duration period{}; // of a slow one
  duration owed{};   // time that it has not run yet
  std::set<std::string, std::less<>> subscribed;
  std::uint64_t published = 0;
  std::uint64_t heard = 0;
  std::uint64_t heard_others = 0; // of this life
  std::map<std::pair<std::size_t, std::uint64_t>, std::uint64_t>
    latest; // by publisher and its life
};

/// Hears for one node all that it subscribes to.
class cluster_fixture::listener final : public pinned_actor {
public:
  listener(caf::actor_config& cfg, cluster_fixture* of, one* where)
    : pinned_actor(cfg), of_(of), where_(where) {}
  caf::behavior make_behavior() override {
    return {[this](const published& p) {
      of_->note_heard(*where_, p.from.name(), p.bytes.text());
    }};
  }

private:
  cluster_fixture* const of_;
  one* const where_;
};

cluster_fixture::cluster_fixture(cluster_fixture_options options)
  : options_(std::move(options)),
    network_(std::make_shared<simulated_backplane>(mix(options_.seed), options_.network)) {
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    nodes_.push_back(std::make_unique<one>());
    nodes_.back()->number = i;
    start(i);
  }
}

cluster_fixture::~cluster_fixture() {
  for (auto& each : nodes_)
    destroy(*each);
}

// -- nodes --------------------------------------------------------------------------------------

void cluster_fixture::start(std::size_t number) {
  auto& which = *nodes_[number];
  ++which.life;
  which.stopped = false;
  which.period = which.owed = duration::zero();
  which.heard_others = 0;
  which.latest.clear();
  which.subscribed.clear();
  auto told = options_.node;
  told.name = name_of(number);
  told.via = network_;
  told.seed = mix(options_.seed ^ mix(number + 1) ^ mix(which.life << 32)) | 1;
  told.stop_if_refused = false;
  if (told.forget_after == cluster_options{}.forget_after)
    told.forget_after = 1h;
  rt_.in_turn([&] {
    which.clock = std::make_unique<manual_clock>();
    which.clock->advance(now_.time_since_epoch());
    which.node = std::make_unique<troupe::cluster>(rt_, std::move(told), *which.clock);
    which.rooms.emplace(*which.node);
  });
  which.ear = rt_.spawn_on<listener>(0, this, &which);
}

void cluster_fixture::destroy(one& which) {
  if (!which.node)
    return;
  network_->kill(name_of(which.number));
  caf::anon_send_exit(std::exchange(which.ear, {}), caf::exit_reason::kill);
  rt_.in_turn([&] {
    which.rooms.reset();
    which.node.reset();
  });
  rt_.settle(2);
}

cluster_fixture::one& cluster_fixture::running(std::size_t number) const {
  auto& which = *nodes_.at(number);
  if (!which.node || which.stopped)
    throw std::logic_error("cluster_fixture: " + name_of(number) + " does not run");
  return which;
}

troupe::cluster& cluster_fixture::node(std::size_t number) {
  if (!nodes_.at(number)->node)
    throw std::logic_error("cluster_fixture: there is no " + name_of(number) + " at the moment");
  return *nodes_[number]->node;
}

topics& cluster_fixture::rooms(std::size_t number) {
  return *running(number).rooms;
}

bool cluster_fixture::runs(std::size_t number) const {
  const auto& which = *nodes_.at(number);
  return which.node && !which.stopped && which.node->state() != own_state::left;
}

node_info cluster_fixture::view(std::size_t of, std::size_t on) {
  for (auto& info : node(of).nodes())
    if (info.name == name_of(on))
      return info;
  node_info none;
  none.name = name_of(on);
  none.state = node_state::left;
  return none;
}

// -- time ---------------------------------------------------------------------------------------

void cluster_fixture::run_for(duration span) {
  for (const auto end = now_ + span; now_ < end;)
    step();
  if (!complaints_.empty())
    throw assertion_failed(std::exchange(complaints_, {}));
}

void cluster_fixture::step() {
  now_ += options_.step;
  rt_.in_turn([this] {
    network_->advance_to(now_);
    for (auto& each : nodes_)
      if (each->node)
        run(*each, options_.step);
  });
  rt_.advance(options_.step); // what was posted, and what the test's own actors wait for
}

void cluster_fixture::run(one& which, duration span) {
  which.owed += span;
  if (which.stopped || which.owed < which.period)
    return;
  which.clock->advance(std::exchange(which.owed, duration::zero()));
  if (which.period > duration::zero()) {
    network_->release(name_of(which.number));
    network_->hold(name_of(which.number));
  }
}

// -- accidents ----------------------------------------------------------------------------------

void cluster_fixture::cut(std::size_t a, std::size_t b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void cluster_fixture::cut_one_way(std::size_t from, std::size_t to) {
  network_->cut(name_of(from), name_of(to));
}

void cluster_fixture::split(const std::set<std::size_t>& these) {
  for (const auto a : these)
    for (std::size_t b = 0; b < nodes_.size(); ++b)
      if (these.count(b) == 0)
        cut(a, b);
}

void cluster_fixture::mend_all() {
  network_->mend_all();
}

void cluster_fixture::set_loss(double loss) {
  auto now = network_->present_conditions();
  now.loss = loss;
  network_->set_conditions(now);
}

void cluster_fixture::unplug(std::size_t number) {
  network_->unplug(name_of(number));
}

void cluster_fixture::plug(std::size_t number) {
  network_->plug(name_of(number));
}

void cluster_fixture::stop(std::size_t number) {
  running(number).stopped = true;
  network_->hold(name_of(number));
}

void cluster_fixture::go_on(std::size_t number) {
  auto& which = *nodes_.at(number);
  if (!std::exchange(which.stopped, false) || !which.node)
    return;
  rt_.in_turn([&] {
    which.clock->advance(std::exchange(which.owed, duration::zero()));
    network_->release(name_of(number));
  });
}

void cluster_fixture::slow_down(std::size_t number, duration period) {
  auto& which = *nodes_.at(number);
  which.period = period;
  if (period > duration::zero())
    network_->hold(name_of(number));
  else if (!which.stopped)
    rt_.in_turn([&] { network_->release(name_of(number)); });
}

void cluster_fixture::crash(std::size_t number) {
  destroy(*nodes_.at(number));
}

void cluster_fixture::leave(std::size_t number) {
  auto& which = running(number);
  rt_.in_turn([&] { which.node->leave().add_errback([](const failure&) {}); });
}

void cluster_fixture::restart(std::size_t number) {
  destroy(*nodes_.at(number));
  start(number);
}

// -- traffic ------------------------------------------------------------------------------------

void cluster_fixture::subscribe(std::size_t number, const std::string& topic) {
  auto& which = running(number);
  which.subscribed.insert(topic);
  rt_.in_turn([&] { which.rooms->get(topic).subscribe(which.ear); });
}

void cluster_fixture::unsubscribe(std::size_t number, const std::string& topic) {
  auto& which = running(number);
  rt_.in_turn([&] { which.rooms->get(topic).unsubscribe(which.ear); });
  rt_.settle(2);
  which.subscribed.erase(topic);
}

void cluster_fixture::publish(std::size_t number, const std::string& topic, std::size_t times) {
  auto& which = running(number);
  rt_.in_turn([&] {
    const auto room = which.rooms->get(topic);
    while (times-- > 0)
      room.publish(std::to_string(number) + ' ' + std::to_string(which.life) + ' '
                   + std::to_string(++which.published));
  });
}

void cluster_fixture::note_heard(one& where, std::string_view topic, std::string_view line) {
  const auto whole = line;
  const auto from = take_number<std::size_t>(line);
  const auto life = take_number<std::uint64_t>(line);
  const auto sequence = take_number<std::uint64_t>(line);
  ++where.heard;
  if (from != where.number)
    ++where.heard_others;
  if (where.subscribed.find(topic) == where.subscribed.end())
    complain(name_of(where.number) + " heard of topic " + std::string{topic}
             + ", to which it does not subscribe");
  auto& latest = where.latest[{from, life}];
  if (sequence <= latest)
    complain(name_of(where.number) + " heard \"" + std::string{whole} + "\" "
             + (sequence == latest ? "twice" : "behind " + std::to_string(latest)));
  latest = std::max(latest, sequence);
}

void cluster_fixture::complain(std::string what) {
  if (complaints_.size() < 4096)
    complaints_ +=
      "cluster_fixture: at "
      + std::to_string(
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count())
      + " ms, seed " + std::to_string(options_.seed) + ": " + what + '\n';
}

std::uint64_t cluster_fixture::heard(std::size_t number) const {
  return nodes_.at(number)->heard;
}

std::uint64_t cluster_fixture::heard() const {
  std::uint64_t sum = 0;
  for (const auto& each : nodes_)
    sum += each->heard;
  return sum;
}

// -- agreement ----------------------------------------------------------------------------------

std::string cluster_fixture::disagreement() {
  std::map<std::string, troupe::cluster*> there;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (runs(i) && nodes_[i]->node->state() != own_state::refused)
      there.emplace(name_of(i), nodes_[i]->node.get());
  for (const auto& [name, who] : there) {
    if (who->state() != own_state::up)
      return name + " is " + std::string{to_string(who->state())};
    std::size_t seen = 0;
    for (const auto& info : who->nodes()) {
      if (info.state != node_state::up)
        continue;
      ++seen;
      const auto found = there.find(info.name);
      if (found == there.end())
        return name + " takes " + info.name + " for up, which is not there";
      if (info.incarnation != found->second->incarnation())
        return name + " knows incarnation " + std::to_string(info.incarnation) + " of " + info.name
               + ", which is " + std::to_string(found->second->incarnation());
      if (info.topics != found->second->topics_here())
        return name + " knows of " + std::to_string(info.topics) + " topics of " + info.name
               + ", which has " + std::to_string(found->second->topics_here());
    }
    if (seen != there.size() - 1)
      return name + " sees " + std::to_string(seen) + " of " + std::to_string(there.size() - 1)
             + " others";
  }
  return {};
}

std::string cluster_fixture::uncounted() {
  for (std::size_t to = 0; to < nodes_.size(); ++to) {
    if (!runs(to))
      continue;
    const auto c = nodes_[to]->node->counters();
    if (c.publications_in - c.publications_unwanted != nodes_[to]->heard_others)
      return name_of(to) + " took " + std::to_string(c.publications_in) + " publications, "
             + std::to_string(c.publications_unwanted)
             + " of which nobody wanted, and its subscribers heard "
             + std::to_string(nodes_[to]->heard_others);
    for (std::size_t from = 0; from < nodes_.size(); ++from) {
      if (from == to || !runs(from))
        continue;
      const auto there = view(from, to), here = view(to, from);
      if (there.sent != here.received + here.missed)
        return name_of(from) + " published " + std::to_string(there.sent) + " for " + name_of(to)
               + ", which got " + std::to_string(here.received) + " and missed "
               + std::to_string(here.missed);
    }
  }
  return {};
}

void cluster_fixture::settle(duration most) {
  mend_all();
  set_loss(0);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    slow_down(i, duration::zero());
    go_on(i);
    plug(i);
  }
  if (!run_until([&] { return disagreement().empty(); }, most))
    throw assertion_failed("cluster_fixture: seed " + std::to_string(options_.seed)
                           + ": the nodes do not agree: " + disagreement());
  const auto beat = options_.node.heartbeat;
  run_for(2 * options_.network.most_latency + 2 * beat); // what is under way, and what beats tell
  if (const auto lost = uncounted(); !lost.empty())
    throw assertion_failed("cluster_fixture: seed " + std::to_string(options_.seed) + ": " + lost);

  // Nobody is deaf: a line of one node reaches all who subscribe, at once.
  std::map<std::string, std::uint64_t> expected;
  for (const auto& each : nodes_)
    for (const auto& topic : each->subscribed)
      if (runs(each->number))
        ++expected[topic];
  std::size_t publisher = 0;
  while (publisher < nodes_.size() && !runs(publisher))
    ++publisher;
  for (const auto& [topic, subscribers] : expected) {
    const auto before = heard();
    publish(publisher, topic);
    run_for(options_.network.most_latency + 5 * options_.step);
    if (heard() - before != subscribers)
      throw assertion_failed("cluster_fixture: seed " + std::to_string(options_.seed) + ": of "
                             + std::to_string(subscribers) + " subscribers of " + topic + ", "
                             + std::to_string(heard() - before) + " heard what "
                             + name_of(publisher) + " published, when all was well");
  }
}

} // namespace troupe::testing
