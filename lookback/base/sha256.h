// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lookback {

class Sha256 {
 public:
  void update(std::string_view bytes);
  // The digest of everything given so far, as 64 lower-case hex digits; update may go on afterwards.
  std::string hex() const;

 private:
  void block(const uint8_t* p);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> waiting_{};  // bytes of a block not yet full
  uint64_t total_ = 0;                 // bytes given
};

std::string sha256_hex(std::string_view bytes);

}  // namespace lookback
