// What users of the chat may be called, and which names look alike.

#include <set>
#include <string>

#include "chat/names.hpp"
#include "support/catch.hpp"

using namespace std::string_literals;

namespace {

std::string repeated(std::string_view text, int times) {
  std::string all;
  while (times-- > 0)
    all += text;
  return all;
}

std::string shown(std::string_view text) {
  const auto [name, fault] = check_user_name(text);
  CHECK(fault == name_fault::none);
  return name;
}

name_fault fault_of(std::string_view text) {
  const auto checked = check_user_name(text);
  CHECK((checked.fault == name_fault::none) != checked.name.empty());
  return checked.fault;
}

} // namespace

TEST_CASE("names: an ordinary name is shown as it was written") {
  for (const auto* name : {"ann", "Ann Lee", "O'Brien-Smith", "José", "李小龍", "Юлия", "שלום",
                           "नमस्ते", "🦊", "👩🏽‍🚀", "❤️", "ann_42"})
    CHECK(shown(name) == name);
}

TEST_CASE("names: white space at the ends is gone, and is a plain space within") {
  CHECK(shown("  ann \t") == "ann");
  CHECK(shown("\u3000ann\u00a0lee\u2003 b\u3000") == "ann lee b");
}

TEST_CASE("names: what cannot be seen is no name") {
  for (const auto* text : {"", " ", "\t \t", "\u200b", "\u3164", "\u2800", "\u00ad\u2060", "\u200d",
                           "\u3000\ufe0f", "\ufeff"})
    CHECK(fault_of(text) == name_fault::empty);
}

TEST_CASE(
  "names: invisible characters are left out, but for those that an emoji or a script needs") {
  CHECK(shown("a\u200bn\u200en\u2060") == "ann");
  CHECK(shown("\u202eann\u202c") == "ann");
  CHECK(shown("\u200dann\u200d\u200b") == "ann\u200d"); // harmless, and looks the same
  CHECK(shown("می\u200cخواهم") == "می\u200cخواهم");
  CHECK(shown("ann \u200d lee") == "ann lee");
}

TEST_CASE("names: an accent is composed (NFC)") {
  CHECK(shown("Jose\u0301") == "Jos\u00e9");
  CHECK(shown("\u1112\u1161\u11ab") == "\ud55c");
}

TEST_CASE("names: control characters and what is no UTF-8 are refused") {
  for (const auto& text :
       {"\x1b[2J"s, "a\nb"s, "a\rb"s, "al\0ice"s, "a\x07"s, "a\x7f"s, "\xff"s, "a\xc3"s,
        "\xc0\x80"s, "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "a\u0085"s, "a\u2028b"s, "\ufdd0"s,
        "\ufffe"s, "\ue000"s, "\ufff9x"s, "\u0301ann"s, " \u0301ann"s})
    CHECK(fault_of(text) == name_fault::unprintable);
}

TEST_CASE("names: a name has 32 visible characters at most, however many bytes they take") {
  CHECK(shown(repeated("e", 32)) == repeated("e", 32));
  CHECK(fault_of(repeated("e", 33)) == name_fault::too_long);
  CHECK(shown(repeated("李", 32)) == repeated("李", 32));
  CHECK(fault_of(repeated("李", 33)) == name_fault::too_long);
  CHECK(shown(repeated("e\u0301", 32)) == repeated("\u00e9", 32));
  CHECK(shown(repeated("x\u0301", 32)) == repeated("x\u0301", 32)); // has no composed form
  CHECK(shown("  " + repeated("e", 32) + "  ") == repeated("e", 32));
  CHECK(fault_of("x" + repeated("\u0301", 64)) == name_fault::too_long); // one, but of 129 bytes
  CHECK(shown("x" + repeated("\u0301", 63)).size() == 127);
  CHECK(fault_of(repeated("e", 16384)) == name_fault::too_long);
  CHECK(shown(repeated("👩🏽‍🚀", 8)) == repeated("👩🏽‍🚀", 8));
}

TEST_CASE("names: what stands around a name cannot be in it, in any form; a room may have it") {
  for (const auto* text : {"bob> hi <ann", "a,b", "[bob]", "＞", "，", "a］"}) {
    CHECK(fault_of(text) == name_fault::ambiguous);
    CHECK(check_room_name(text).name == text);
  }
  CHECK(check_room_name("\x1b[2J").fault == name_fault::unprintable);
  CHECK(check_room_name("  the   games ").name == "the games");
}

TEST_CASE("names: case, width, composition and what is invisible make no other name") {
  const auto ann = look_of("ann");
  for (const auto* other : {"Ann", "ANN", "a\u200bnn", "ann\u200d", "ａｎｎ", "ann\ufe0f", "𝒶𝓃𝓃"})
    CHECK(look_of(other) == ann);
  CHECK(look_of("Straße") == look_of("STRASSE"));
  CHECK(look_of("José") == look_of("JOSE\u0301"));
  CHECK(look_of("Σίσυφος") == look_of("ΣΊΣΥΦΟΣ"));
  CHECK(look_of("ﬁn") == look_of("FIN"));
  std::set<std::string> looks;
  for (const auto* other :
       {"ann", "anna", "ann lee", "annlee", "änn", "аnn" /* Cyrillic */, "李", "👩", "👩🏽"})
    looks.insert(look_of(other));
  CHECK(looks.size() == 9);
}

TEST_CASE(
  "names: a name that was checked is not changed by another check, nor its look by another look") {
  for (const auto* text : {" José ", "Jose\u0301", "ａｎｎ", "a\u200d\u200d", "👩🏽‍🚀x",
                           "İstanbul", "ǅ", "\u1e9b\u0323", "\u03d2\u0301", "\u0345\u03b1"}) {
    const auto checked = check_user_name(text);
    if (checked.fault != name_fault::none)
      continue;
    CHECK(shown(checked.name) == checked.name);
    CHECK(look_of(look_of(checked.name)) == look_of(checked.name));
  }
}
