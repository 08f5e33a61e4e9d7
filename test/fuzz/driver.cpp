// Feeds a fuzz target where libFuzzer is not: mutates the files of a folder, a bounded number of times, always the
// same for the same seed.
//
//   $ build/dev/test/basic_netstring_fuzz test/fuzz/basic/netstring --runs=100000 --seed=7
//   $ build/dev/test/basic_netstring_fuzz test/fuzz/basic/netstring --seed=7 --only=4711   # that one, again
//   $ build/dev/test/basic_netstring_fuzz crash.bin                                          # one file as it is
//
// A target that ends the process, or takes a minute for one input, is told with the run and the seed that lead
// there; so is what a sanitizer finds.

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Only a sanitizer has it, which ends the process without a signal.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*)());

namespace {

constexpr std::size_t longest = 16 * 1024;
constexpr unsigned longest_seconds = 60;
std::uint64_t seed = 1;
std::uint64_t run = 0;

std::string read(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Changes inputs: small changes, and pieces of one in another.
class mutator {
public:
  mutator(const std::vector<std::string>& corpus, std::uint64_t number)
    : corpus_(corpus), random_(seed * 0x9e3779b97f4a7c15U + number) {}

  std::string make() {
    auto text = any();
    for (auto changes = 1 + below(8); changes > 0; --changes)
      change(text);
    text.resize(std::min(text.size(), longest));
    return text;
  }

private:
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  const std::string& any() { return corpus_[below(corpus_.size())]; }
  char byte() {
    static constexpr std::string_view telling{"\0\r\n :0199-+,.\xff\x7f\x80\x01", 18};
    return below(2) == 0 ? telling[below(telling.size())] : static_cast<char>(random_());
  }
  std::string piece(const std::string& of) {
    const auto from = below(of.size() + 1);
    return of.substr(from, below(std::min<std::size_t>(of.size() - from, 64) + 1));
  }

  void change(std::string& text) {
    const auto at = below(text.size() + 1);
    switch (below(9)) {
    case 0:
      if (at < text.size())
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
      return;
    case 1:
      if (at < text.size())
        text[at] = byte();
      return;
    case 2:
      text.insert(at, 1, byte());
      return;
    case 3:
      text.erase(at, 1 + below(16));
      return;
    case 4:
      text.insert(at, piece(text));
      return;
    case 5:
      text.insert(at, piece(any()));
      return;
    case 6:
      text.insert(at, std::string(1 + below(300), byte()));
      return;
    case 7:
      text.resize(at);
      return;
    default:
      static constexpr const char* numbers[] = {
        "-1", "0", "00", "2147483648", "4294967296", "18446744073709551616", "1e9", "ffffffffffff"};
      text.insert(at, numbers[below(std::size(numbers))]);
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

void tell_where() {
  char text[128];
  const int n = run == 0 ? std::snprintf(text, sizeof text, "\nended by one of the files\n")
                         : std::snprintf(text, sizeof text, "\nended by --seed=%llu --only=%llu\n",
                                         static_cast<unsigned long long>(seed),
                                         static_cast<unsigned long long>(run));
  if (n > 0 && ::write(2, text, static_cast<std::size_t>(n)) < 0)
    std::_Exit(1);
}

void by_signal(int signal) {
  tell_where();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool number(std::string_view argument, std::string_view name, std::uint64_t& into) {
  if (!argument.starts_with(name))
    return false;
  argument.remove_prefix(name.size());
  return std::from_chars(argument.data(), argument.data() + argument.size(), into).ec
         == std::errc{};
}

void feed(const std::string& text) {
  // Its own block of memory, so that a sanitizer sees a read beyond its end.
  const std::vector<std::uint8_t> bytes{text.begin(), text.end()};
  ::alarm(longest_seconds);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

} // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus;
  std::uint64_t runs = 20'000;
  std::uint64_t only = 0;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path{argv[i]};
    if (number(argv[i], "--runs=", runs) || number(argv[i], "--seed=", seed)
        || number(argv[i], "--only=", only))
      continue;
    if (std::filesystem::is_directory(path)) {
      std::vector<std::filesystem::path> files;
      for (const auto& f : std::filesystem::directory_iterator{path})
        files.push_back(f.path());
      std::sort(files.begin(), files.end());
      for (const auto& f : files)
        corpus.push_back(read(f));
    } else if (std::filesystem::exists(path)) {
      corpus.push_back(read(path));
      runs = 0;
    } else {
      std::fprintf(stderr, "%s: no such file, folder or option\n", argv[i]);
      return 2;
    }
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s <folder of seeds> [--runs=N] [--seed=N] [--only=N]\n", argv[0]);
    return 2;
  }
  for (const int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM})
    std::signal(s, by_signal);
  if (&__sanitizer_set_death_callback != nullptr)
    __sanitizer_set_death_callback(tell_where);
  if (only == 0)
    for (const auto& text : corpus)
      feed(text);
  for (run = only != 0 ? only : 1; run <= (only != 0 ? only : runs); ++run)
    feed(mutator{corpus, run}.make());
  std::printf("%zu seeds, %llu mutations, seed %llu: fine\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(seed));
}
