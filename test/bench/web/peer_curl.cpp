// Asks with libcurl's multi interface: peer_curl URL COUNT. 64 requests are under way at a time; prints the
// microseconds of CPU for each.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <curl/curl.h>

#include "process.hpp"

namespace {

constexpr int at_a_time = 64;

std::size_t take(char*, std::size_t, std::size_t size, void* total) {
  *static_cast<std::size_t*>(total) += size;
  return size;
}

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "peer_curl: %s\n", why);
  std::exit(EXIT_FAILURE);
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3)
    fail("usage: peer_curl URL COUNT");
  const long count = std::atol(argv[2]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  auto* const multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(at_a_time));
  std::size_t bytes = 0;
  long begun = 0;
  for (; begun < at_a_time && begun < count; ++begun) {
    auto* const one = curl_easy_init();
    curl_easy_setopt(one, CURLOPT_URL, argv[1]);
    curl_easy_setopt(one, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(one, CURLOPT_WRITEDATA, &bytes);
    curl_multi_add_handle(multi, one);
  }
  const auto before = bench::cpu_ns();
  for (long done = 0; done < count;) {
    int running = 0;
    if (curl_multi_perform(multi, &running) != CURLM_OK)
      fail("it cannot go on");
    int left = 0;
    while (const auto* const m = curl_multi_info_read(multi, &left)) {
      if (m->msg != CURLMSG_DONE)
        continue;
      auto* const one = m->easy_handle;
      long status = 0;
      curl_easy_getinfo(one, CURLINFO_RESPONSE_CODE, &status);
      if (m->data.result != CURLE_OK || status != 200)
        fail("this is not the answer");
      ++done;
      curl_multi_remove_handle(multi, one);
      if (begun < count) {
        ++begun;
        curl_multi_add_handle(multi, one);
      } else {
        curl_easy_cleanup(one);
      }
    }
    if (done < count && curl_multi_poll(multi, nullptr, 0, 1000, nullptr) != CURLM_OK)
      fail("it cannot wait");
  }
  if (bytes != static_cast<std::size_t>(count) * 13)
    fail("this is not the answer");
  std::printf("%.3f\n", (bench::cpu_ns() - before) / 1000 / static_cast<double>(count));
  curl_multi_cleanup(multi);
}
