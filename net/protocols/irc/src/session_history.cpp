#include <algorithm>
#include <charconv>
#include <utility>

#include <troupe/irc/formatting.hpp>
#include <troupe/irc/session.hpp>

#include "cut_text.hpp"
#include "session_parts.hpp"

namespace troupe::irc {

namespace {

struct subcommand {
  std::string_view name;
  history_kind kind;
  std::size_t points;
};

constexpr subcommand subcommands[] = {
  {"AFTER", history_kind::after, 1},   {"AROUND", history_kind::around, 1},
  {"BEFORE", history_kind::before, 1}, {"BETWEEN", history_kind::between, 2},
  {"LATEST", history_kind::latest, 1},
};

constexpr std::string_view not_retrieved = "Messages could not be retrieved";

// Returns what a client said, as it may stand in the middle of a line.
std::string shown(std::string_view text) {
  auto clean = clean_text(cut_text(text, 200));
  return clean.empty() || clean.front() == ':' || clean.find(' ') != std::string::npos ? "*"
                                                                                       : clean;
}

std::optional<history_point> parse_point(std::string_view text) {
  constexpr std::string_view timestamp = "timestamp=", msgid = "msgid=";
  constexpr std::size_t longest_id = 100;
  history_point p;
  if (text.starts_with(timestamp))
    p.time = parse_tag_time(text.substr(timestamp.size()));
  else if (text.starts_with(msgid) && text.size() <= msgid.size() + longest_id)
    p.id = text.substr(msgid.size());
  return p.is_place() ? std::optional{std::move(p)} : std::nullopt;
}

// Returns the limit that the last parameter says, at most `most`; 0 if it says none.
std::size_t parse_limit(std::string_view text, std::size_t most) {
  std::size_t limit = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), limit);
  return fault == std::errc{} && end == text.data() + text.size() ? std::min(limit, most) : 0;
}

constexpr std::string_view not_a_limit = "The limit is a number from 1 on";

} // namespace

void session::on_chathistory(const message& m) {
  const auto most = server_->options().history_limit;
  if (most == 0)
    return reply(421, {m.command()}, "Unknown command");
  const auto fail = [this](std::string_view code, std::string_view context, std::string_view why) {
    send_lines(history_failure(code, context, {}, why));
  };
  message sub;
  (void)sub.parse(m.param(0));
  const auto* const what =
    std::ranges::find_if(subcommands, [&](const subcommand& s) { return sub.is(s.name); });
  if (m.size() == 0)
    return fail("INVALID_PARAMS", "*", "Insufficient parameters");
  if (sub.is("TARGETS"))
    return ask_history_targets(m);
  if (what == std::end(subcommands))
    return fail("UNKNOWN_COMMAND", shown(m.param(0)), "Unknown command");
  if (m.size() != what->points + 3)
    return fail("INVALID_PARAMS", what->name,
                m.size() < what->points + 3 ? "Insufficient parameters" : "Too many parameters");
  history_question q;
  q.kind = what->kind;
  for (std::size_t i = 0; i < what->points; ++i) {
    if (q.kind == history_kind::latest && m.param(2) == "*")
      continue;
    auto point = parse_point(m.param(2 + i));
    if (!point)
      return fail("INVALID_PARAMS", what->name,
                  "A place is timestamp=YYYY-MM-DDThh:mm:ss.sssZ or msgid=ID");
    (i == 0 ? q.from : q.to) = std::move(*point);
  }
  q.limit = parse_limit(m.last(), most);
  if (q.limit == 0)
    return fail("INVALID_PARAMS", what->name, not_a_limit);
  auto* const c = server_->find_channel(m.param(1));
  if (c == nullptr || self_->place_in(*c) == nullptr)
    return send_lines(
      history_failure("INVALID_TARGET", what->name, shown(m.param(1)), not_retrieved));
  history_ = std::make_unique<asked_history>();
  history_->subcommand = what->name;
  history_->channel = c->name;
  history_->label = label_of(m);
  captured_ = nullptr; // the answer, which may come later, has the label
  server_->history_wanted(*this, *c, q);
}

void session::ask_history_targets(const message& m) {
  const auto fail = [this](std::string_view why) {
    send_lines(history_failure("INVALID_PARAMS", "TARGETS", {}, why));
  };
  if (m.size() != 4)
    return fail(m.size() < 4 ? "Insufficient parameters" : "Too many parameters");
  const auto from = parse_point(m.param(1)), to = parse_point(m.param(2));
  if (!from || !from->time || !to || !to->time)
    return fail("A time is timestamp=YYYY-MM-DDThh:mm:ss.sssZ");
  const auto limit = parse_limit(m.last(), server_->options().history_limit);
  if (limit == 0)
    return fail(not_a_limit);
  history_ = std::make_unique<asked_history>();
  history_->subcommand = "TARGETS";
  history_->label = label_of(m);
  history_->targets = history_targets_question{*from->time, *to->time, limit};
  captured_ = nullptr;                      // as above
  const auto question = *history_->targets; // which is gone with the answer
  server_->history_targets_wanted(*this, question);
}

std::string session::history_failure(std::string_view code, std::string_view subcommand,
                                     std::string_view target, std::string_view why) const {
  std::string out;
  line to{out, server_->options().name, "FAIL"};
  to.param("CHATHISTORY").param(code).param(subcommand);
  if (!target.empty())
    to.param(target);
  to.trailing(why).end();
  return out;
}

std::string session::begin_history_batch(std::string_view type, std::string_view target,
                                         std::string_view label) const {
  std::string out, tags;
  if (!label.empty())
    append_tag_value(tags += "label=", label);
  line begin{out, tags, server_->options().name, "BATCH"};
  begin.param("+history").param(type);
  if (!target.empty())
    begin.param(target);
  begin.end();
  return out;
}

// Sends an answer whose batch, if the client reads those, has begun with `out`.
void session::send_history(std::string_view label, std::string out) {
  const bool batch = (capabilities_ & cap_batch) != 0;
  if (batch)
    line{out, server_->options().name, "BATCH"}.param("-history").end();
  if (batch || label.empty())
    send_lines(out);
  else
    answer_labelled(label, std::move(out));
  go_on();
}

void session::answer_history(std::span<const history_line> lines) {
  if (!history_ || history_->targets)
    return;
  const auto* const c = self_ != nullptr ? server_->find_channel(history_->channel) : nullptr;
  if (c == nullptr || self_->place_in(*c) == nullptr)
    return fail_history("INVALID_TARGET", not_retrieved);
  const auto asked = std::exchange(history_, nullptr);
  const bool batch = (capabilities_ & cap_batch) != 0;
  std::string out;
  if (batch)
    out = begin_history_batch("chathistory", asked->channel, asked->label);
  for (const auto& l : lines) {
    std::string tags;
    const auto add = [&tags](std::string_view tag, std::string_view value) {
      tags.append(tags.empty() ? "" : ";").append(tag).append("=");
      append_tag_value(tags, value);
    };
    if (batch)
      add("batch", "history");
    if ((capabilities_ & cap_server_time) != 0)
      add("time", tag_time(l.time));
    if (!l.id.empty() && (capabilities_ & cap_message_tags) != 0)
      add("msgid", l.id);
    std::string said;
    line{said, l.from, "PRIVMSG"}.param(asked->channel).trailing(clean_text(l.text));
    out.append(tags.empty() ? "" : "@").append(tags).append(tags.empty() ? "" : " ");
    out.append(cut_text(said, longest_line - 2)).append("\r\n");
  }
  send_history(asked->label, std::move(out));
}

void session::answer_history_targets(std::span<const history_target> targets) {
  if (!history_ || !history_->targets)
    return;
  const auto asked = std::exchange(history_, nullptr);
  const auto& q = *asked->targets;
  const auto earliest = std::min(q.from, q.to), latest = std::max(q.from, q.to);
  std::vector<const history_target*> found;
  for (const auto& t : targets) {
    if (t.latest <= earliest || t.latest >= latest || shown(t.name) != t.name)
      continue;
    const auto* const c = t.name.starts_with('#') ? server_->find_channel(t.name) : nullptr;
    if (!t.name.starts_with('#')
        || (c != nullptr && self_ != nullptr && self_->place_in(*c) != nullptr))
      found.push_back(&t);
  }
  std::ranges::stable_sort(found, {}, [](const history_target* t) { return t->latest; });
  if (found.size() > q.limit && q.from <= q.to)
    found.resize(q.limit);
  else if (found.size() > q.limit)
    found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(q.limit));
  const bool batch = (capabilities_ & cap_batch) != 0;
  std::string out;
  if (batch)
    out = begin_history_batch("draft/chathistory-targets", {}, asked->label);
  for (const auto* const t : found)
    line{out, batch ? "batch=history" : "", server_->options().name, "CHATHISTORY"}
      .param("TARGETS")
      .param(t->name)
      .param(tag_time(t->latest))
      .end();
  send_history(asked->label, std::move(out));
}

void session::refuse_history(std::string_view why) {
  if (history_)
    fail_history("MESSAGE_ERROR", why);
}

void session::fail_history(std::string_view code, std::string_view why) {
  const auto asked = std::exchange(history_, nullptr);
  auto out = history_failure(code, asked->subcommand, asked->channel, why);
  if (asked->label.empty())
    send_lines(out);
  else
    answer_labelled(asked->label, std::move(out));
  go_on();
}

void session::charge(std::size_t lines) {
  const auto& o = server_->options();
  if (o.flood_control)
    allowance_ =
      std::max(allowance_, loop().time()) + o.line_cost * static_cast<std::int64_t>(lines);
}

} // namespace troupe::irc
