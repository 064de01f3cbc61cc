#include "lookback/kernels/cpu/matmul.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>

namespace lookback::kernels::cpu_impl {
namespace {

using dnnl::memory;
constexpr auto kF32 = memory::data_type::f32;

const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

memory::desc strided(int64_t rows, int64_t cols, int64_t ld, bool transposed) {
  return transposed ? memory::desc({rows, cols}, kF32, memory::dims{1, ld})
                    : memory::desc({rows, cols}, kF32, memory::dims{ld, 1});
}

// oneDNN 3 dropped the operation descriptor that version 2 put between; this is the one place that knows.
dnnl::matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b, const memory::desc& c,
                                      bool accumulate) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attributes.set_post_ops(ops);
  }
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, c, attributes};
#else
  return {{a, b, c}, attributes, engine()};
#endif
}

struct PackedB final : Packed {
  memory data;
};

// Everything a primitive depends on. Two packed weights of one [k,n] share their layout.
struct Key {
  std::array<int64_t, 6> sizes;  // m n k lda ldb ldc
  int flags;                     // transpose_a, transpose_b, accumulate, packed
  int threads;
  auto operator<=>(const Key&) const = default;
};

// Ragged batches meet many row counts, but a bounded number of them.
constexpr size_t kMaxPrimitives = 8192;

const dnnl::matmul& primitive_for(const Matmul<float>& p, const memory::desc& a, const memory::desc& b,
                                  const memory::desc& c) {
  const Key key{{p.m, p.n, p.k, p.lda, p.packed_b ? 0 : p.ldb, p.ldc},
                p.transpose_a | p.transpose_b << 1 | p.accumulate << 2 | (p.packed_b != nullptr) << 3,
                omp_get_max_threads()};
  thread_local std::map<Key, dnnl::matmul> cache;
  const auto at = cache.find(key);
  if (at != cache.end()) return at->second;
  if (cache.size() >= kMaxPrimitives) cache.clear();
  return cache.emplace(key, dnnl::matmul(describe(a, b, c, p.accumulate))).first->second;
}

}  // namespace

// The layout that oneDNN asks for at 64 rows, which it also takes at any other number.
std::shared_ptr<const Packed> pack(const Matmul<float>& p) {
  const memory::desc any({p.k, p.n}, kF32, memory::format_tag::any);
  const auto wanted = describe(strided(64, p.k, p.k, false), any, strided(64, p.n, p.n, false), false).weights_desc();
  const memory plain(strided(p.k, p.n, p.ldb, p.transpose_b), engine(), const_cast<float*>(p.b));
  auto out = std::make_shared<PackedB>();
  out->data = memory(wanted, engine());
  dnnl::reorder(plain, out->data).execute(stream(), const_cast<memory&>(plain), out->data);
  stream().wait();
  return out;
}

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {
    if (!p.accumulate)
      for (int64_t m = 0; m < p.m; ++m) std::fill_n(p.c + m * p.ldc, p.n, 0.0f);
    return;
  }
  const auto* packed = static_cast<const PackedB*>(p.packed_b);
  const memory::desc a = strided(p.m, p.k, p.lda, p.transpose_a);
  const memory::desc b = packed ? packed->data.get_desc() : strided(p.k, p.n, p.ldb, p.transpose_b);
  const memory::desc c = strided(p.m, p.n, p.ldc, false);
  const memory am(a, engine(), const_cast<float*>(p.a));
  const memory bm = packed ? packed->data : memory(b, engine(), const_cast<float*>(p.b));
  const memory cm(c, engine(), p.c);
  primitive_for(p, a, b, c).execute(stream(), {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, bm}, {DNNL_ARG_DST, cm}});
  stream().wait();
}

}  // namespace lookback::kernels::cpu_impl
