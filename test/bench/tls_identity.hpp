#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace bench {

/// Makes a self-signed certificate with its key, in one PEM file.
inline void make_identity(const std::string& file) {
  auto* const key = EVP_EC_gen("P-256");
  auto* const c = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
  X509_gmtime_adj(X509_getm_notBefore(c), -3600);
  X509_gmtime_adj(X509_getm_notAfter(c), 3600 * 24);
  X509_set_pubkey(c, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
  X509_set_issuer_name(c, X509_get_subject_name(c));
  X509_sign(c, key, EVP_sha256());
  auto* const out = BIO_new_file(file.c_str(), "w");
  if (out == nullptr || PEM_write_bio_X509(out, c) != 1
      || PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    throw std::runtime_error("cannot write " + file);
  BIO_free(out);
  X509_free(c);
  EVP_PKEY_free(key);
}

/// A file with such an identity, which goes with this object.
class identity_file {
public:
  identity_file() {
    auto pattern = (std::filesystem::temp_directory_path() / "troupe-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("no temporary folder");
    folder_ = pattern;
    make_identity(path());
  }
  ~identity_file() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  identity_file(const identity_file&) = delete;
  identity_file& operator=(const identity_file&) = delete;
  [[nodiscard]] std::string path() const { return (folder_ / "identity.pem").string(); }

private:
  std::filesystem::path folder_;
};

} // namespace bench
