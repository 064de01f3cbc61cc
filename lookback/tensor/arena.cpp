#include "lookback/tensor/arena.h"

#include <sys/mman.h>

#include <iterator>
#include <new>

namespace lookback {

namespace {

constexpr int64_t kLargePage = int64_t{2} << 20;

}  // namespace

Arena::Range Arena::remove(std::map<std::byte*, Range>::iterator range) {
  const Range out = range->second;
  by_size_.erase({out.bytes, range->first});
  ranges_.erase(range);
  free_bytes_ -= out.bytes;
  return out;
}

void Arena::join(std::byte* at, Range range) {
  auto next = ranges_.lower_bound(at);
  if (next != ranges_.end() && next->first == at + range.bytes) {
    const auto joined = next++;
    const Range right = remove(joined);
    range = {range.bytes + right.bytes, range.fresh_zeros && right.fresh_zeros};
  }
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.bytes == at) {
      at = before->first;
      const Range left = remove(before);
      range = {left.bytes + range.bytes, left.fresh_zeros && range.fresh_zeros};
    }
  }
  ranges_.emplace(at, range);
  by_size_.emplace(range.bytes, at);
  free_bytes_ += range.bytes;
}

std::byte* Arena::take(int64_t bytes, bool& fresh_zeros) {
  const auto fit = by_size_.lower_bound({bytes, nullptr});
  if (fit == by_size_.end()) return nullptr;
  std::byte* const at = fit->second;
  const Range range = remove(ranges_.find(at));
  if (range.bytes > bytes) join(at + bytes, {range.bytes - bytes, range.fresh_zeros});
  fresh_zeros = range.fresh_zeros;
  return at;
}

void Arena::grow(int64_t bytes) {
  const int64_t whole = (bytes + kLargePage - 1) / kLargePage * kLargePage;
  const auto size = static_cast<size_t>(whole);
  void* const p = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  ::madvise(p, size, MADV_HUGEPAGE);  // fewer page faults; where it is not granted, nothing is lost
  join(static_cast<std::byte*>(p), {whole, true});
}

void Arena::shrink(int64_t bytes) {
  while (free_bytes_ > bytes) {
    const auto [size, at] = *by_size_.rbegin();
    remove(ranges_.find(at));
    ::munmap(at, static_cast<size_t>(size));
  }
}

}  // namespace lookback
