#include <troupe/http/static_files.hpp>

#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http_exchange.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace troupe;
using testing::http_exchange;
namespace fs = std::filesystem;

namespace {

struct site {
  site() {
    fs::create_directories(root + "/sub/deep");
    write("index.html", "<p>home");
    write("a.txt", "0123456789");
    write("a.txt.gz", "gzipped");
    write("empty", "");
    write(".secret", "secret");
    write("sub/with space.css", "css");
    std::ofstream{outside} << "outside";
    fs::create_symlink("../a.txt", root + "/sub/inside");
    fs::create_symlink(outside, root + "/out");
    fs::create_symlink("../outside", root + "/up");
    ::mkfifo((root + "/fifo").c_str(), 0600);
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream{root + "/" + name} << text;
    timespec times[2]{{784111777, 5}, {784111777, 5}};
    ::utimensat(AT_FDCWD, (root + "/" + name).c_str(), times, 0);
  }

  std::string ask(const std::string& path, const std::string& fields = {},
                  const std::string& method = "GET", static_files_options o = {}) const {
    http_exchange t{static_files(root, std::move(o))};
    t.rt.reactor().get_thread_pool().start();
    t.deliver(method + " " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    // What is not in the system's memory comes from a thread.
    for (int i = 0;
         i < 10'000 && (t.sent().empty() || t.transport.registered_producer() != nullptr); ++i) {
      if (auto* const p = t.transport.registered_producer())
        t.enter([p] { p->resume_producing(); });
      t.settle(1);
      std::this_thread::yield();
    }
    return t.sent();
  }
  int status(const std::string& path, const std::string& fields = {},
             const std::string& method = "GET", static_files_options o = {}) const {
    return std::stoi(ask(path, fields, method, std::move(o)).substr(9));
  }

  testing::directory dir;
  std::string root = dir.path + "/www";
  std::string outside = dir.path + "/outside";
};

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

std::string field(const std::string& response, const std::string& name) {
  const auto at = response.find("\r\n" + name + ": ");
  return at == std::string::npos
           ? ""
           : response.substr(at + name.size() + 4,
                             response.find("\r\n", at + 2) - at - name.size() - 4);
}

} // namespace

TEST_CASE("a file is served with its type, length, tag and date") {
  const site s;
  const auto got = s.ask("/a.txt");
  CHECK(got.substr(9, 3) == "200");
  CHECK(field(got, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(field(got, "Content-Length") == "10");
  CHECK(field(got, "Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(field(got, "Accept-Ranges") == "bytes");
  CHECK(body_of(got) == "0123456789");
  const auto head = s.ask("/a.txt", "", "HEAD");
  CHECK(field(head, "Content-Length") == "10");
  CHECK(field(head, "ETag") == field(got, "ETag"));
  CHECK(body_of(head) == "");
  CHECK(body_of(s.ask("/empty")) == "");
  CHECK(body_of(s.ask("/sub/with%20space.css")) == "css");
  CHECK(s.status("/a.txt", "", "DELETE") == 405);
}

TEST_CASE("a folder is its index, or forbidden, or listed; without a slash it is redirected") {
  const site s;
  CHECK(body_of(s.ask("/")) == "<p>home");
  CHECK(s.status("/sub/") == 403);
  CHECK(s.status("/sub?x=y") == 301);
  CHECK(field(s.ask("/sub?x=y"), "Location") == "/sub/?x=y");
  static_files_options o;
  o.listing = true;
  const auto listed = s.ask("/sub/", "", "GET", o);
  CHECK(listed.find("<a href=\"./with%20space.css\">with space.css</a><td>3B")
        != std::string::npos);
  CHECK(listed.find("deep/") != std::string::npos);
  CHECK(s.status("/a.txt/") == 404);
}

TEST_CASE("nothing outside of the folder is served, whatever is asked for") {
  const site s;
  for (const std::string path : {"/../outside",
                                 "/%2e%2e/outside",
                                 "/sub/../../outside",
                                 "/sub/%2e%2e/a.txt",
                                 "/..%2foutside",
                                 "/%2e%2e%2foutside",
                                 "/sub%2f..%2f..%2foutside",
                                 "/./a.txt",
                                 "/%2e/a.txt",
                                 "//a.txt",
                                 "//etc/passwd",
                                 "/a.txt%00",
                                 "/a.txt%00.html",
                                 "/out",
                                 "/up",
                                 "/.secret",
                                 "/%2esecret",
                                 "/fifo",
                                 "/nothing",
                                 "/a.txt/x",
                                 "/sub//with%20space.css",
                                 "/...",
                                 "/..",
                                 "/%5c..%5coutside"}) {
    CAPTURE(path);
    CHECK(s.status(path) == 404);
  }
  CHECK(s.status("/%zz") == 400);
  CHECK(body_of(s.ask("/sub/inside")) == "0123456789");
  static_files_options o;
  o.dot_files = true;
  CHECK(body_of(s.ask("/.secret", "", "GET", o)) == "secret");
}

TEST_CASE("ranges are sent alone, or several in parts") {
  const site s;
  auto got = s.ask("/a.txt", "Range: bytes=2-4\r\n");
  CHECK(got.substr(9, 3) == "206");
  CHECK(field(got, "Content-Range") == "bytes 2-4/10");
  CHECK(field(got, "Content-Length") == "3");
  CHECK(body_of(got) == "234");
  got = s.ask("/a.txt", "Range: bytes=10-\r\n");
  CHECK(got.substr(9, 3) == "416");
  CHECK(field(got, "Content-Range") == "bytes */10");
  CHECK(body_of(s.ask("/a.txt", "Range: bytes=4-2\r\n")) == "0123456789");
  CHECK(s.status("/a.txt", "Range: bytes=2-4\r\n", "HEAD") == 200);
  got = s.ask("/a.txt", "Range: bytes=0-1, 8-\r\n");
  CHECK(got.substr(9, 3) == "206");
  const auto type = field(got, "Content-Type");
  REQUIRE(type.starts_with("multipart/byteranges; boundary="));
  const auto boundary = "--" + type.substr(31);
  const auto body = body_of(got);
  CHECK(field(got, "Content-Length") == std::to_string(body.size()));
  CHECK(body
        == boundary
             + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
               "0-1/10\r\n\r\n01\r\n"
             + boundary
             + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes "
               "8-9/10\r\n\r\n89\r\n"
             + boundary + "--\r\n");
}

TEST_CASE("conditions are kept in the order of RFC 9110, 13.2.2") {
  const site s;
  const auto tag = field(s.ask("/a.txt"), "ETag");
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
  CHECK(s.status("/a.txt", "If-None-Match: " + tag + "\r\n") == 304);
  CHECK(s.status("/a.txt", "If-None-Match: \"x\", W/" + tag + "\r\n") == 304);
  CHECK(s.status("/a.txt", "If-None-Match: *\r\n") == 304);
  CHECK(s.status("/a.txt", "If-None-Match: \"x\"\r\nIf-Modified-Since: " + date + "\r\n") == 200);
  CHECK(s.status("/a.txt", "If-Modified-Since: " + date + "\r\n") == 304);
  CHECK(s.status("/a.txt", "If-Modified-Since: " + date + "; length=10\r\n") == 304);
  CHECK(s.status("/a.txt", "If-Modified-Since: " + before + "\r\n") == 200);
  CHECK(s.status("/a.txt", "If-Modified-Since: yesterday\r\n") == 200);
  CHECK(s.status("/a.txt", "If-Match: " + tag + "\r\n") == 200);
  CHECK(s.status("/a.txt", "If-Match: W/" + tag + "\r\n") == 412);
  CHECK(s.status("/a.txt", "If-Match: \"x\"\r\n") == 412);
  CHECK(s.status("/a.txt", "If-Unmodified-Since: " + date + "\r\n") == 200);
  CHECK(s.status("/a.txt", "If-Unmodified-Since: " + before + "\r\n") == 412);
  CHECK(s.status("/a.txt", "Range: bytes=0-1\r\nIf-Range: " + tag + "\r\n") == 206);
  CHECK(s.status("/a.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n") == 200);
  CHECK(s.status("/a.txt", "Range: bytes=0-1\r\nIf-Range: " + date + "\r\n") == 206);
  const auto not_modified = s.ask("/a.txt", "If-None-Match: *\r\n");
  CHECK(field(not_modified, "ETag") == tag);
  CHECK(field(not_modified, "Content-Length") == "");
  CHECK(body_of(not_modified) == "");
}

TEST_CASE("a file that is there compressed is sent so to who takes it") {
  const site s;
  const auto got = s.ask("/a.txt", "Accept-Encoding: br, gzip;q=0.5\r\n");
  CHECK(body_of(got) == "gzipped");
  CHECK(field(got, "Content-Encoding") == "gzip");
  CHECK(field(got, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(field(got, "Vary") == "Accept-Encoding");
  CHECK(body_of(s.ask("/a.txt", "Accept-Encoding: gzip;q=0\r\n")) == "0123456789");
  CHECK(field(got, "ETag") != field(s.ask("/a.txt"), "ETag"));
}

TEST_CASE("a large file goes out piece by piece, and as it is") {
  const site s;
  std::string text;
  while (text.size() < 1'000'000)
    text += std::to_string(text.size()) + '\n';
  s.write("large.bin", text);
  CHECK(body_of(s.ask("/large.bin")) == text);
  CHECK(body_of(s.ask("/large.bin", "Range: bytes=1-700000\r\n")) == text.substr(1, 700'000));
}
