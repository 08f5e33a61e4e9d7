#include <troupe/cluster/detail/message_codec.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <caf/actor_system_config.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/config_value.hpp>
#include <caf/make_message.hpp>
#include <caf/message_builder.hpp>

#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail;
using Catch::Contains;

namespace {

struct nothing {};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, nothing&) {
  return f(caf::meta::type_name("nothing"));
}

struct record {
  std::string name;
  std::vector<bool> flags;
  std::vector<nothing> nothings;
  std::map<std::string, std::vector<double>> series;
  std::u16string wide;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, record& x) {
  return f(caf::meta::type_name("record"), x.name, x.flags, x.nothings, x.series, x.wide);
}
bool operator==(const record& a, const record& b) {
  return a.name == b.name && a.flags == b.flags && a.nothings.size() == b.nothings.size()
         && a.series == b.series && a.wide == b.wide;
}

/// A tree: as deep as one likes.
struct tree {
  std::vector<tree> below;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, tree& x) {
  return f(caf::meta::type_name("tree"), x.below);
}

struct holds_actor {
  caf::strong_actor_ptr who;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, holds_actor& x) {
  return f(caf::meta::type_name("holds_actor"), x.who);
}

struct refuses {
  int n = 0;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, refuses& x) {
  auto check = [&x]() -> caf::error {
    if (x.n == 13)
      throw std::runtime_error("no thirteen");
    return x.n < 0 ? caf::error{caf::sec::invalid_argument} : caf::error{};
  };
  return f(caf::meta::type_name("refuses"), x.n, caf::meta::load_callback(check));
}

struct not_named {
  int n = 0;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, not_named& x) {
  return f(caf::meta::type_name("not_named"), x.n);
}

struct local_only {};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(local_only)

namespace {

struct codec {
  runtime rt{{.install_signal_handlers = false, .configure = [](caf::actor_system_config& config) {
                config.add_message_type<record>("record");
                config.add_message_type<tree>("tree");
                config.add_message_type<holds_actor>("holds_actor");
                config.add_message_type<refuses>("refuses");
                config.add_message_type<std::vector<double>>("doubles");
              }}};
  std::string bytes(const caf::message& m) {
    std::string out;
    const auto why = write_message(out, rt.system(), m);
    INFO(why.message());
    REQUIRE_FALSE(why);
    return out;
  }
  failure refused(const caf::message& m) {
    std::string out = "before";
    auto why = write_message(out, rt.system(), m);
    CHECK(out == "before");
    return why;
  }
  outcome<caf::message> read(std::string_view from) {
    const std::string exact{from}; // so that a sanitizer sees its end
    return read_message(rt.system(), as_bytes(exact));
  }
  template <class T>
  T there_and_back(const T& value) {
    auto got = read(bytes(caf::make_message(value)));
    REQUIRE(got);
    REQUIRE(got->template match_elements<T>());
    return got->template get_as<T>(0);
  }
};

template <class T>
std::string bits(const T& value, std::size_t size = sizeof(T)) {
  return {reinterpret_cast<const char*>(&value), size};
}

record sample() {
  return {"a record",
          std::vector<bool>(1000, true),
          std::vector<nothing>(77),
          {{"one", {1.5, -0.0, INFINITY}}, {"none", {}}},
          u"caf\u00e9"};
}

} // namespace

TEST_CASE("numbers come back to the bit, those of floating point, too", "[cluster][codec]") {
  codec c;
  using limits = std::numeric_limits<double>;
  for (const double n : {0.0, -0.0, 1.0, -1.5, 1e308, limits::infinity(), -limits::infinity(),
                         limits::quiet_NaN(), -limits::quiet_NaN(), limits::denorm_min(),
                         -limits::denorm_min(), limits::min(), limits::max(), limits::epsilon()}) {
    CHECK(bits(c.there_and_back(n)) == bits(n));
    CHECK(bits(c.there_and_back(static_cast<float>(n))) == bits(static_cast<float>(n)));
    const auto wide = static_cast<long double>(n);
    CHECK(bits(c.there_and_back(wide), 10) == bits(wide, 10));
  }
  CHECK(c.there_and_back(std::numeric_limits<long double>::denorm_min())
        == std::numeric_limits<long double>::denorm_min());
  CHECK(c.there_and_back(std::numeric_limits<long double>::max())
        == std::numeric_limits<long double>::max());
  std::mt19937_64 random{1};
  for (int i = 0; i < 20'000; ++i) {
    const auto n = random();
    double d;
    std::memcpy(&d, &n, sizeof(d));
    if (bits(c.there_and_back(d)) != bits(d))
      FAIL("the double with the bits " << n << " came back as another one");
  }
  CHECK(c.there_and_back(std::numeric_limits<std::int64_t>::min())
        == std::numeric_limits<std::int64_t>::min());
  CHECK(c.there_and_back(std::numeric_limits<std::uint64_t>::max())
        == std::numeric_limits<std::uint64_t>::max());
  CHECK(c.there_and_back(std::int8_t{-128}) == -128);
  CHECK(c.there_and_back(std::uint16_t{65535}) == 65535);
  CHECK(c.there_and_back(true));
  CHECK(c.there_and_back(caf::atom("hello")) == caf::atom("hello"));
}

TEST_CASE("texts, sequences, and types of the user's come back whole", "[cluster][codec]") {
  codec c;
  CHECK(c.there_and_back(std::string(100'000, '\0')) == std::string(100'000, '\0'));
  CHECK(c.there_and_back(std::u32string{U"\U0001F600!"}) == U"\U0001F600!");
  CHECK(c.there_and_back(std::vector<char>{'a', '\0', '\xff'})
        == std::vector<char>{'a', '\0', '\xff'});
  CHECK(c.there_and_back(std::set<std::string>{"", "b"}) == std::set<std::string>{"", "b"});
  CHECK(c.there_and_back(caf::timespan{-5}) == caf::timespan{-5});
  CHECK(c.there_and_back(sample()) == sample());
  CHECK(c.there_and_back(failure{errc::timed_out, "too late"}).check(errc::timed_out));
  CHECK(c.there_and_back(caf::config_value{std::vector<caf::config_value>{caf::config_value{1.5}}})
        == caf::config_value{std::vector<caf::config_value>{caf::config_value{1.5}}});

  const auto several = caf::make_message(caf::atom("set"), std::string{"key"}, 7, sample());
  const auto got = c.read(c.bytes(several));
  REQUIRE(got);
  CHECK(got->match_elements<caf::atom_value, std::string, int, record>());
  CHECK(got->get_as<int>(2) == 7);
  CHECK(c.bytes(*got) == c.bytes(several));
  const auto none = c.read(c.bytes(caf::message_builder{}.to_message()));
  REQUIRE(none);
  CHECK(none->empty());
}

TEST_CASE("what means nothing elsewhere is refused where it is sent", "[cluster][codec]") {
  codec c;
  const auto names = [](const failure& why, const char* text) {
    CHECK(why.check(errc::not_supported));
    CHECK_THAT(why.message(), Contains(text));
  };
  names(c.refused(caf::make_message(not_named{1})), "not_named");
  names(c.refused(caf::make_message(not_named{1})), "add_message_type");
  names(c.refused(caf::make_message(1, local_only{})), "local_only");
  names(c.refused(caf::make_message(caf::strong_actor_ptr{})), "handles of actors");
  names(c.refused(caf::make_message(std::vector<caf::actor>{})), "handles of actors");
  names(c.refused(caf::make_message(holds_actor{})), "handles of actors"); // within a value
  names(c.refused(caf::make_message(caf::error{caf::sec::bad_function_call})), "troupe::failure");
  caf::message_builder many;
  for (int i = 0; i < 256; ++i)
    many.append(i);
  names(c.refused(many.to_message()), "255");
}

TEST_CASE("a message that ends early or late is refused, wherever", "[cluster][codec]") {
  codec c;
  for (const auto& m : {caf::make_message(sample(), 5, 1.25L), caf::make_message(std::string{"x"}),
                        caf::make_message(std::vector<bool>(3).size(), tree{{{}, {{{}}}}}),
                        caf::make_message(failure{errc::no_handler, "none"})}) {
    const auto whole = c.bytes(m);
    CHECK(c.read(whole));
    for (std::size_t size = 0; size < whole.size(); ++size)
      if (c.read(std::string_view{whole}.substr(0, size)))
        FAIL("the first " << size << " bytes of " << whole.size() << " were read as a message");
    CHECK(c.read(whole + '\0').error().check(errc::malformed_input));
    CHECK(c.read(whole + 'x').error().check(errc::malformed_input));
  }
}

TEST_CASE("lengths, types and depths that somebody makes up cost nothing", "[cluster][codec]") {
  codec c;
  const auto refused = [&](std::string_view text, std::string from, errc code) {
    const auto got = c.read(from);
    REQUIRE_FALSE(got);
    CHECK(got.error().check(code));
    CHECK_THAT(got.error().message(), Contains(std::string{text}));
  };
  const std::string huge = "\xff\xff\xff\xff\xff\xff\xff\x7f"; // a number of 56 bits
  const auto type_of = [&](const caf::message& m) {
    return c.bytes(m).substr(1, 1);
  };
  refused("count", huge, errc::malformed_input);
  refused("does not travel", std::string{"\x01\x7f"}, errc::malformed_input);
  refused("does not travel", "\x01" + std::string{"\x01", 1}, errc::malformed_input); // an actor
  refused("no type", std::string{"\x01\x00\x00", 3}, errc::malformed_input);
  refused("which this program does not know", std::string{"\x01\x00\x05other", 8},
          errc::not_supported);
  refused("ends early", "\x01" + type_of(caf::make_message(std::string{})) + huge,
          errc::malformed_input);
  refused("longer than the message",
          "\x01" + type_of(caf::make_message(std::vector<char>{})) + huge, errc::malformed_input);
  refused("ends early", "\x01" + type_of(caf::make_message(std::u32string{})) + huge,
          errc::malformed_input);
  refused(
    "inspect() refuses",
    [&] {
      auto m = c.bytes(caf::make_message(refuses{1}));
      m.back() = '\x80';
      return m;
    }(),
    errc::malformed_input);
  const auto thrown = c.read([&] {
    return c.bytes(caf::make_message(refuses{13}));
  }());
  CHECK_THAT(thrown.error().message(), Contains("no thirteen"));

  std::string deep{"\x01\x00\x04tree", 7};
  deep.append(200'000, '\x01');
  deep += '\0';
  refused("too deep", deep, errc::malformed_input);
  tree nested;
  for (int i = 0; i < 100'000; ++i) {
    tree around;
    around.below.push_back(std::move(nested));
    nested = std::move(around);
  }
  const auto m = caf::make_message(std::move(nested));
  CHECK_THAT(c.refused(m).message(), Contains("too deep"));
  for (auto* at = &const_cast<tree&>(m.get_as<tree>(0)); !at->below.empty();) {
    auto below = std::move(at->below); // as a list, for its destructor is as deep
    *at = std::move(below.front());
  }
}

TEST_CASE("what was changed at random is read or refused, and what is read is written again",
          "[cluster][codec]") {
  codec c;
  std::vector<std::string> all;
  for (const auto& m :
       {caf::make_message(sample(), -1, 2.5), caf::make_message(std::set<std::string>{"a", "b"}),
        caf::make_message(caf::config_value{std::vector<caf::config_value>{caf::config_value{1}}}),
        caf::make_message(tree{{{}, {{{}}}}}, std::vector<double>{1, 2, 3}, u'x', true)})
    all.push_back(c.bytes(m));
  std::mt19937 random{5};
  std::size_t read = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto message = all[random() % all.size()];
    for (auto n = random() % 4; n-- > 0;)
      message[random() % message.size()] = static_cast<char>(random());
    if (random() % 4 == 0)
      message.resize(random() % (message.size() + 1));
    const auto got = c.read(message);
    if (!got)
      continue;
    ++read;
    const auto again = c.bytes(*got);
    const auto twice = c.read(again);
    if (!twice || c.bytes(*twice) != again)
      FAIL("what was read is not what was written");
  }
  CHECK(read > 5000);
}
