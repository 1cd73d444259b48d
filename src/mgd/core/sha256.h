// SHA-256 of bytes that come bit by bit.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace mgd {

class Sha256 {
 public:
  Sha256();
  void update(const void* data, std::size_t size);
  std::string finish();  // 64 lower-case hexadecimal digits; once

 private:
  struct Context;
  std::unique_ptr<Context, void (*)(Context*)> context_;
};

}  // namespace mgd
