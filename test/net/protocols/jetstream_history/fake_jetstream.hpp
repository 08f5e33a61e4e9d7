#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/history/kept_topics.hpp>
#include <troupe/jetstream_history/jetstream_history.hpp>
#include <troupe/runtime/detail/base64.hpp>
#include <troupe/testing/deferred.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "../nats/scripted_server.hpp"

namespace troupe::testing {

class fake_jetstream;

/// A stream "rooms" as a server has it, and what a test lets happen to it.
struct fake_stream {
  struct message {
    std::uint64_t sequence;
    std::string subject;
    std::string payload;
  };

  /// Keeps a message, and says so to whom it concerns.
  std::uint64_t keep(const std::string& topic, const std::string& text);

  /// Keeps a message, and nobody is told: as those that lead no stream yet do.
  void keep_quietly(const std::string& topic, const std::string& text);

  /// Ends all connections.
  void hang_up();

  /// Says that a server leads the stream.
  void tell_of_leader();

  /// Forgets all messages before `sequence`.
  void drop_before(std::uint64_t sequence) {
    std::erase_if(kept, [&](const message& m) { return m.sequence < sequence; });
  }

  std::vector<message> kept;
  std::uint64_t last = 0;
  std::map<std::string, std::uint64_t> latest; // by subject
  std::size_t asked = 0;                       // for messages
  std::vector<fake_jetstream*> peers;

  /// Called with each request's subject, before and after it is answered.
  std::function<void(std::string_view)> before = [](std::string_view) {
  };
  std::function<void(std::string_view)> after = [](std::string_view) {
  };

  std::size_t replicas = 1;
  std::size_t per_topic = 1000;
  std::string created = "2026-01-01T00:00:00Z";
  std::string cluster; // what it says of that: "cluster":{...},
  bool known = true;   // it says so, that is: the stream is there
  bool answers_pings = true;
  bool goes_back = false; // has no idea from where it is to look for the next message

  /// Tells whether a request is answered, by its subject.
  std::function<bool(std::string_view)> answers = [](std::string_view) {
    return true;
  };
};

/// One connection to the server.
class fake_jetstream final : public protocol {
public:
  fake_jetstream(caf::actor_config& cfg, fake_stream* s) : protocol(cfg), stream_(s) {}

  void connection_made() override {
    stream_->peers.push_back(this);
    say(
      R"(INFO {"server_id":"S","version":"2.9.10","headers":true,"jetstream":true,"max_payload":65536,"cluster":")"
      + std::string{stream_->cluster.empty() ? "" : "C"} + "\"}");
  }
  void connection_lost(const failure&) override { std::erase(stream_->peers, this); }

  void data_received(bytes_view data) override {
    text_ += as_text(data);
    for (std::size_t end = 0; (end = text_.find("\r\n")) != std::string::npos;) {
      const auto words = split(text_.substr(0, end));
      std::string payload;
      if (words[0] == "PUB" || words[0] == "HPUB") {
        const auto size = std::stoul(words.back());
        if (text_.size() < end + 2 + size + 2)
          return;
        payload = text_.substr(end + 2, size);
        end += size + 2;
      }
      text_.erase(0, end + 2);
      if (words[0] == "PING" && stream_->answers_pings)
        say("PONG");
      else if (words[0] == "SUB")
        subscriptions_[words[1]] = words.back();
      else if (words[0] == "PUB" && words.size() == 4) {
        stream_->before(words[1]);
        if (stream_->answers(words[1]))
          answer(words[1], words[2], payload);
        stream_->after(words[1]);
      }
    }
  }

  void hang_up() {
    enter([&] { transport().abort_connection(); });
  }

  void tell(const std::string& subject) {
    if (subscriptions_.contains(subject))
      enter([&] { send(subject, {}, "{}"); });
  }

  void republish(const fake_stream::message& m, std::uint64_t previous) {
    const auto subject = "rooms.live" + m.subject.substr(m.subject.rfind('.'));
    if (subscriptions_.contains(subject))
      enter([&] {
        send(subject, {}, m.payload,
             "Nats-Sequence: " + std::to_string(m.sequence)
               + "\r\nNats-Last-Sequence: " + std::to_string(previous) + "\r\n");
      });
  }

private:
  static std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> words;
    for (std::size_t at = 0, end = 0; at <= line.size(); at = end + 1) {
      end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
    }
    return words;
  }
  static std::string text_in(const std::string& json, const std::string& member) {
    const auto at = json.find('"' + member + "\":\"");
    if (at == std::string::npos)
      return {};
    const auto begin = at + member.size() + 4;
    return json.substr(begin, json.find('"', begin) - begin);
  }
  static std::uint64_t number_in(const std::string& json, const std::string& member) {
    std::uint64_t n = 0;
    if (const auto at = json.find('"' + member + "\":"); at != std::string::npos)
      std::from_chars(json.data() + at + member.size() + 3, json.data() + json.size(), n);
    return n;
  }

  void say(std::string_view line) { transport().write(std::string{line} + "\r\n"); }

  void send(const std::string& subject, const std::string& reply, const std::string& payload,
            const std::string& headers = {}, const std::string& status = {}) {
    const auto found = std::ranges::find_if(subscriptions_, [&](const auto& s) {
      const std::string_view pattern{s.first};
      return pattern == subject
             || (pattern.ends_with(".*")
                 && subject.starts_with(pattern.substr(0, pattern.size() - 1))
                 && subject.find('.', pattern.size() - 1) == std::string::npos);
    });
    if (found == subscriptions_.end())
      return;
    const auto where = subject + ' ' + found->second + (reply.empty() ? "" : ' ' + reply);
    if (headers.empty() && status.empty())
      return say("MSG " + where + ' ' + std::to_string(payload.size()) + "\r\n" + payload);
    const auto block = "NATS/1.0" + status + "\r\n" + headers + "\r\n";
    say("HMSG " + where + ' ' + std::to_string(block.size()) + ' '
        + std::to_string(block.size() + payload.size()) + "\r\n" + block + payload);
  }

  void answer(const std::string& subject, const std::string& reply, const std::string& body) {
    auto& s = *stream_;
    if (subject == "$JS.API.STREAM.CREATE.rooms")
      return send(reply, {},
                  R"({"config":{"name":"rooms"},"state":{},"created":"2026-01-01T00:00:00Z"})");
    if (subject == "$JS.API.STREAM.INFO.rooms" && !s.known)
      return send(reply, {}, R"({"error":{"code":404,"err_code":10059,"description":"none"}})");
    if (subject == "$JS.API.STREAM.INFO.rooms")
      return send(reply, {},
                  R"({"config":{"name":"rooms","subjects":["rooms.kept.>"],"storage":"file",)"
                  R"("max_msgs_per_subject":)"
                    + std::to_string(s.per_topic)
                    + R"(,"duplicate_window":120000000000,)"
                      R"("republish":{"src":"rooms.kept.>","dest":"rooms.live.>"},"num_replicas":)"
                    + std::to_string(s.replicas) + R"(},"state":{},)" + s.cluster + R"("created":")"
                    + s.created + R"("})");
    if (subject == "$JS.API.STREAM.MSG.GET.rooms") {
      ++s.asked;
      const fake_stream::message* found = nullptr;
      for (const auto& m : s.kept)
        if (m.subject == text_in(body, "last_by_subj"))
          found = &m;
        else if (found == nullptr && m.subject == text_in(body, "next_by_subj")
                 && (s.goes_back || m.sequence >= number_in(body, "seq")))
          found = &m;
      return send(reply, {},
                  found == nullptr
                    ? R"({"error":{"code":404,"err_code":10037,"description":"no message found"}})"
                    : R"({"message":{"subject":")" + found->subject + R"(","seq":)"
                        + std::to_string(found->sequence) + R"(,"data":")"
                        + troupe::detail::to_base64(found->payload)
                        + R"(","time":"2026-01-01T00:00:01.5Z"}})");
    }
  }

  fake_stream* stream_;
  std::string text_;
  std::map<std::string, std::string> subscriptions_; // sids by patterns
};

inline void fake_stream::keep_quietly(const std::string& topic, const std::string& text) {
  const auto there = std::exchange(peers, {});
  keep(topic, text);
  peers = there;
}

inline void fake_stream::hang_up() {
  for (auto* const peer : std::vector{peers})
    peer->hang_up();
}

inline void fake_stream::tell_of_leader() {
  for (auto* const peer : peers)
    peer->tell("$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.rooms");
}

inline std::uint64_t fake_stream::keep(const std::string& topic, const std::string& text) {
  message m{++last, "rooms.kept." + topic, text};
  const auto previous = std::exchange(latest[m.subject], m.sequence);
  kept.push_back(m);
  for (auto* const peer : peers)
    peer->republish(m, previous);
  return last;
}

/// Kept topics in such a stream, in memory and virtual time.
struct fake_jetstream_fixture {
  explicit fake_jetstream_fixture(jetstream_history_options o = {},
                                  kept_topics_options k = {.patience = std::chrono::hours(1),
                                                           .append_timeout = std::chrono::hours(1)},
                                  bool asks_server = false)
    : options(std::move(o)), kept(k) {
    net.listen(4222, factory::for_protocol<fake_jetstream>(&stream));
    stream.replicas = options.replicas;
    stream.per_topic = options.per_topic;
    options.nats.servers = {"nats://127.0.0.1:4222"};
    if (!asks_server)
      options.nats.ping_interval = duration::max();
    options.nats.reach = [this](const nats_url& url) {
      return std::make_shared<memory_endpoint>(net, url.port);
    };
    net.rt.in_turn([&] { attach(); });
    handle = net.rt.spawn_on<listener>(0);
    net.rt.settle();
    net.flush();
  }
  ~fake_jetstream_fixture() {
    net.rt.in_turn([this] { topics.reset(); });
    net.flush();
    errors.flush();
  }

  void attach() {
    topics.reset();
    topics.emplace(net.rt, std::make_shared<jetstream_history>(options), kept);
  }
  deferred<resumed> resume_now(const std::string& topic, history_position since,
                               std::size_t limit) {
    return topics->get(topic).resume(&self(), since, limit, [this](const kept_message& m) {
      heard.push_back(std::string{m.bytes.text()});
    });
  }
  deferred<resumed> resume_begun(const std::string& topic, history_position since,
                                 std::size_t limit = 1000) {
    auto d = net.rt.in_turn([&] { return resume_now(topic, since, limit); });
    net.flush();
    return d;
  }
  resumed resume(const std::string& topic, history_position since, std::size_t limit = 1000) {
    return success_result_of(resume_begun(topic, since, limit));
  }
  deferred<history_page> history(const std::string& topic, history_request request) {
    auto d = net.rt.in_turn([&] { return topics->get(topic).history(self(), request); });
    net.flush();
    return d;
  }

  class listener : public pinned_actor {
  public:
    using pinned_actor::pinned_actor;
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }
  };
  pinned_actor& self() {
    return *static_cast<pinned_actor*>(caf::actor_cast<caf::abstract_actor*>(handle));
  }

  jetstream_history_options options;
  const kept_topics_options kept;
  fake_stream stream;
  memory_network net;
  logged_errors errors{net.rt};
  std::optional<kept_topics> topics;
  caf::actor handle;
  std::vector<std::string> heard;
};

} // namespace troupe::testing
