// Forms with files, as a handler gets them.

#include <troupe/http/http_multipart.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>

#include <unistd.h>

#include <troupe/http/http_status.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/testing/logged_errors.hpp>

#include "http_exchange.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace troupe;
using testing::directory;
using testing::http_exchange;

namespace {

const std::string type = "multipart/form-data; boundary=xyz";

std::string field(const std::string& name, const std::string& value) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

std::string file(const std::string& name, const std::string& called, const std::string& content) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + called
         + "\"\r\nContent-Type: image/png\r\n\r\n" + content + "\r\n";
}

std::string request(const std::string& body, const std::string& of_type = type) {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: " + of_type
         + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// What no file repeats.
std::string long_content(std::size_t size) {
  std::string made;
  for (int i = 0; made.size() < size; ++i)
    made += std::to_string(i) + "\r\n--xy";
  made.resize(size);
  return made;
}

// A server that keeps the last form.
struct uploads {
  explicit uploads(http_multipart_options options = {})
    : exchange([this, options](http_request r) -> http_reply {
        return read_multipart(std::move(r), options).add_callback([this](http_multipart got) {
          form.emplace(std::move(got));
          return http_response{200, "thanks"};
        });
      }) {
    exchange.rt.reactor().get_thread_pool().start();
  }
  void wait_for_answer() {
    for (int i = 0; i < 1'000'000 && exchange.sent().empty(); ++i) {
      exchange.settle(1);
      std::this_thread::yield();
    }
  }
  int status() {
    wait_for_answer();
    REQUIRE_FALSE(exchange.sent().empty());
    return exchange.statuses().back();
  }
  std::optional<http_multipart> form;
  http_exchange exchange;
};

std::string content_of(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

} // namespace

TEST_CASE("fields and small files are in memory") {
  uploads t;
  t.exchange.deliver(request(field("a", "1") + file("f", "c:\\me.png", "tiny") + field("a", "")
                             + file("none", "", "") + "--xyz--\r\n"));
  REQUIRE(t.status() == 200);
  REQUIRE(t.form->fields.all().size() == 2);
  CHECK(t.form->fields.find("a") == "1");
  REQUIRE(t.form->files.size() == 2);
  const auto* const f = t.form->find_file("f");
  REQUIRE(f != nullptr);
  CHECK(f->client_name() == "c:\\me.png");
  CHECK(f->content_type() == "image/png");
  CHECK(f->in_memory());
  CHECK(f->descriptor() == -1);
  CHECK(f->text() == "tiny");
  CHECK(f->size() == 4);
  CHECK(t.form->find_file("none")->size() == 0);
  CHECK(t.form->find_file("other") == nullptr);
}

TEST_CASE("a file that is long goes to disk as it comes, without a name, and can be saved") {
  directory place;
  const auto folder = place.path;
  for (const std::size_t piece : {1000UL, 64UL * 1024, 10'000'000UL}) {
    uploads t{{.max_in_memory = 5000, .folder = folder}};
    const auto content = long_content(300'000);
    const auto bytes =
      request(file("small", "a", std::string(5000, 's')) + file("large", "b", content)
              + file("more", "c", content.substr(7)) + field("last", "x") + "--xyz--");
    t.exchange.deliver_in_pieces(bytes, piece);
    REQUIRE(t.status() == 200);
    CHECK(std::filesystem::is_empty(folder));
    CHECK(t.form->find_file("small")->in_memory());
    CHECK(t.form->fields.find("last") == "x");
    for (const auto& [name, expected] :
         {std::pair{"large", content}, std::pair{"more", content.substr(7)}}) {
      const auto* const f = t.form->find_file(name);
      REQUIRE(f != nullptr);
      CHECK_FALSE(f->in_memory());
      CHECK(f->size() == expected.size());
      const auto path = place / "saved";
      f->save(path);
      CHECK((content_of(path) == expected));
      CHECK_THROWS_AS(f->save(path), std::system_error); // it is there
      CHECK((content_of(path) == expected));
      std::filesystem::remove(path);
    }
  }
}

namespace {

deferred<http_response> counted(http_request r) {
  const auto form = co_await read_multipart(r, {.max_in_memory = 100, .folder = "/tmp"});
  co_return http_response{200, std::to_string(form.files.size()) + " files"};
}

deferred<http_response> counted_by_default(http_request r) {
  const auto form = co_await read_multipart(r);
  co_return http_response{200, std::to_string(form.files.size()) + " files"};
}

} // namespace

TEST_CASE("a coroutine may write the options where it waits") {
  static_assert(std::is_trivially_copyable_v<http_multipart_options>);
  for (const auto& handler : {http_handler{counted}, http_handler{counted_by_default}}) {
    http_exchange t{handler};
    t.deliver(request(field("a", "1") + file("f", "b", "c") + "--xyz--"));
    CHECK(t.sent().ends_with("1 files"));
  }
}

TEST_CASE("a form that is wrong or too long is refused with a status that says so") {
  const auto status_of = [](const std::string& bytes, http_multipart_options options = {}) {
    uploads t{std::move(options)};
    t.exchange.deliver(bytes);
    return t.status();
  };
  const auto good = field("a", "1") + "--xyz--";
  CHECK(status_of(request(good)) == 200);
  CHECK(status_of(request(good, "multipart/form-data")) == 415);
  CHECK(status_of(request("a=1", "application/x-www-form-urlencoded")) == 415);
  CHECK(status_of(request(good.substr(0, good.size() - 1))) == 400);
  CHECK(status_of(request("")) == 400);
  CHECK(status_of(request(good), {.max_body = good.size()}) == 200);
  CHECK(status_of(request(good), {.max_body = good.size() - 1}) == 413);
  CHECK(status_of(request(good), {.max_fields = 2}) == 200);
  CHECK(status_of(request(good), {.max_fields = 1}) == 413);
  CHECK(status_of(request(field("a", "1") + good), {.limits = {.parts = 1}}) == 413);
  // Chunks do not tell their sum before.
  std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: "
                        + type + "\r\n\r\n";
  for (const char c : good)
    (chunked += "1\r\n") += std::string{c} + "\r\n";
  chunked += "0\r\n\r\n";
  CHECK(status_of(chunked, {.max_body = good.size()}) == 200);
  CHECK(status_of(chunked, {.max_body = good.size() - 1}) == 413);
}

TEST_CASE("a form has no more files on disk than it may") {
  const auto form = file("f", "a", "longer than ten") + file("g", "b", "short")
                    + file("h", "c", "longer than ten, too") + "--xyz--";
  for (const std::size_t most : {1, 2}) {
    uploads t{{.max_in_memory = 10, .max_files_on_disk = most}};
    t.exchange.deliver_in_pieces(request(form), 64);
    CHECK(t.status() == (most == 1 ? 413 : 200));
  }
}

TEST_CASE("a client that goes in the middle leaves nothing") {
  directory place;
  uploads t{{.max_in_memory = 10, .folder = place.path}};
  const auto bytes = request(file("f", "a", long_content(500'000)) + "--xyz--");
  t.exchange.deliver_in_pieces(std::string_view{bytes}.substr(0, 200'000), 64 * 1024);
  t.exchange.lose(errc::connection_lost);
  t.exchange.settle(50);
  CHECK_FALSE(t.form);
  CHECK(std::filesystem::is_empty(place.path));
}

TEST_CASE("where no file can be written the client is not told why, and the log is") {
  uploads t{{.max_in_memory = 10, .folder = "/there/is/no/such/folder"}};
  testing::logged_errors errors{t.exchange.rt};
  t.exchange.deliver(request(file("f", "a", long_content(1000)) + "--xyz--"));
  CHECK(t.status() == 500);
  CHECK(t.exchange.sent().find("folder") == std::string::npos);
  const auto logged = errors.flush();
  REQUIRE(logged.size() == 1);
  CHECK(logged[0].text.find("/there/is/no/such/folder") != std::string::npos);
}
