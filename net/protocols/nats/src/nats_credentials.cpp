#include <troupe/nats/nats_credentials.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <openssl/crypto.h>

#include "nats_text.hpp"

namespace troupe {

namespace {

constexpr std::size_t largest_file = std::size_t{64} * 1024;

// Returns what stands behind the line that begins a part.
std::string_view part(std::string_view text, std::string_view title) {
  const auto at = text.find("BEGIN " + std::string{title});
  if (at == std::string_view::npos)
    throw nats_credentials_error("no part \"BEGIN " + std::string{title} + '"');
  text.remove_prefix(at);
  const auto from = text.find('\n');
  const auto to = text.find("---", from == std::string_view::npos ? text.size() : from);
  if (to == std::string_view::npos)
    throw nats_credentials_error("the part \"BEGIN " + std::string{title} + "\" has no end");
  const auto value = detail::trimmed(text.substr(from, to - from), " \t\r\n");
  if (value.empty() || value.find_first_of(" \t\r\n") != std::string_view::npos)
    throw nats_credentials_error("the part \"BEGIN " + std::string{title}
                                 + "\" must have one line");
  return value;
}

} // namespace

nats_creds nats_creds::parse(std::string_view text) {
  return {std::string{part(text, "NATS USER JWT")}, nkey{part(text, "USER NKEY SEED")}};
}

nats_creds nats_creds::read(const std::string& path) {
  struct close {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
  };
  const std::unique_ptr<std::FILE, close> file{std::fopen(path.c_str(), "re")};
  if (!file)
    throw nats_credentials_error(path + ": " + std::strerror(errno));
  std::string text(largest_file + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0)
    throw nats_credentials_error(path + ": it cannot be read");
  if (text.size() > largest_file)
    throw nats_credentials_error(path + ": it is too long to be a file of credentials");
  try {
    auto made = parse(text);
    OPENSSL_cleanse(text.data(), text.size());
    return made;
  } catch (const nats_credentials_error& e) {
    OPENSSL_cleanse(text.data(), text.size());
    throw nats_credentials_error(path + ": " + e.what());
  }
}

} // namespace troupe
