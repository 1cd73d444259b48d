#include "mgd/core/sha256.h"

#include <fmt/core.h>
#include <openssl/evp.h>

#include <array>

namespace mgd {

struct Sha256::Context {
  EVP_MD_CTX* const evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(new Context, [](Context* c) { delete c; }) {
  EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr);
}

void Sha256::update(const void* data, std::size_t size) {
  EVP_DigestUpdate(context_->evp, data, size);
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context_->evp, digest.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace mgd
