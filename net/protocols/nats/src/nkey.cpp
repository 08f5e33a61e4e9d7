#include <troupe/nats/nkey.hpp>

#include <algorithm>
#include <memory>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace troupe {

namespace {

constexpr std::uint8_t seed_prefix = 18 << 3; // 'S'
constexpr std::string_view base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::uint8_t prefix_of(nkey::kind k) noexcept {
  switch (k) {
  case nkey::kind::user:
    return 20 << 3;
  case nkey::kind::account:
    return 0;
  case nkey::kind::op:
    return 14 << 3;
  case nkey::kind::server:
    return 13 << 3;
  case nkey::kind::cluster:
    return 2 << 3;
  }
  return 20 << 3;
}

bool kind_of(std::uint8_t prefix, nkey::kind& into) noexcept {
  for (const auto k : {nkey::kind::user, nkey::kind::account, nkey::kind::op, nkey::kind::server,
                       nkey::kind::cluster})
    if (prefix_of(k) == prefix) {
      into = k;
      return true;
    }
  return false;
}

// CRC-16 of XMODEM.
std::uint16_t checksum(const std::uint8_t* data, std::size_t size) noexcept {
  std::uint16_t crc = 0;
  for (std::size_t i = 0; i < size; ++i) {
    crc = static_cast<std::uint16_t>(crc ^ (data[i] << 8));
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
  }
  return crc;
}

std::string encode(std::vector<std::uint8_t> raw) {
  const auto crc = checksum(raw.data(), raw.size());
  raw.push_back(static_cast<std::uint8_t>(crc & 0xff));
  raw.push_back(static_cast<std::uint8_t>(crc >> 8));
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const auto byte : raw) {
    bits = (bits << 8) | byte;
    for (count += 8; count >= 5; count -= 5)
      out += base32[(bits >> (count - 5)) & 31];
  }
  if (count > 0)
    out += base32[(bits << (5 - count)) & 31];
  OPENSSL_cleanse(raw.data(), raw.size());
  return out;
}

struct free_key {
  void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, free_key>;

struct free_context {
  void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
};

key_ptr key_of(const std::array<std::uint8_t, 32>& secret) {
  key_ptr key{
    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size())};
  if (!key)
    throw std::runtime_error("nkey: OpenSSL makes no Ed25519 key");
  return key;
}

} // namespace

nkey nkey::create(kind k) {
  std::array<std::uint8_t, 32> secret{};
  if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1)
    throw std::runtime_error("nkey: there are no random bytes");
  return {k, secret};
}

nkey::nkey(std::string_view seed) {
  std::array<std::uint8_t, 36> raw{};
  if (seed.size() != 58)
    throw nats_credentials_error("an NKEY seed has 58 characters, and not "
                                 + std::to_string(seed.size()));
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t filled = 0;
  for (const char c : seed) {
    const auto value = base32.find(c);
    if (value == std::string_view::npos)
      throw nats_credentials_error("an NKEY seed has capital letters and the digits 2 to 7 only");
    bits = (bits << 5) | static_cast<std::uint32_t>(value);
    count += 5;
    if (count >= 8 && filled < raw.size()) {
      raw[filled++] = static_cast<std::uint8_t>(bits >> (count - 8));
      count -= 8;
    }
  }
  const auto crc = static_cast<std::uint16_t>(raw[34] | (raw[35] << 8));
  const bool whole = checksum(raw.data(), 34) == crc;
  const bool is_seed = (raw[0] & 0xf8) == seed_prefix;
  const auto prefix = static_cast<std::uint8_t>(((raw[0] & 7) << 5) | ((raw[1] & 0xf8) >> 3));
  const bool known = kind_of(prefix, kind_);
  std::copy_n(raw.begin() + 2, secret_.size(), secret_.begin());
  OPENSSL_cleanse(raw.data(), raw.size());
  if (!whole)
    throw nats_credentials_error(
      "an NKEY seed whose checksum is wrong: something is missing or mistyped");
  if (!is_seed)
    throw nats_credentials_error("this NKEY is no seed: seeds begin with S");
  if (!known)
    throw nats_credentials_error("an NKEY seed of an unknown kind");
}

nkey::~nkey() {
  OPENSSL_cleanse(secret_.data(), secret_.size());
}

std::string nkey::public_key() const {
  const auto key = key_of(secret_);
  std::array<std::uint8_t, 32> bytes{};
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size) != 1)
    throw std::runtime_error("nkey: OpenSSL tells no public key");
  std::vector<std::uint8_t> raw{prefix_of(kind_)};
  raw.insert(raw.end(), bytes.begin(), bytes.end());
  return encode(std::move(raw));
}

std::string nkey::seed() const {
  const auto prefix = prefix_of(kind_);
  std::vector<std::uint8_t> raw{static_cast<std::uint8_t>(seed_prefix | (prefix >> 5)),
                                static_cast<std::uint8_t>((prefix & 31) << 3)};
  raw.reserve(36);
  raw.insert(raw.end(), secret_.begin(), secret_.end());
  return encode(std::move(raw));
}

std::string nkey::sign(std::string_view text) const {
  const auto key = key_of(secret_);
  const std::unique_ptr<EVP_MD_CTX, free_context> context{EVP_MD_CTX_new()};
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1
      || EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                        reinterpret_cast<const unsigned char*>(text.data()), text.size())
           != 1)
    throw std::runtime_error("nkey: OpenSSL signs nothing");
  return signature;
}

} // namespace troupe
