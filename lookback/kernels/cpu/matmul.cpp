#include "lookback/kernels/cpu/matmul.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/gemm.h"

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

// Whether a row's product with a weight depends on that row alone. It does for the
// AVX-512 kernels of these versions, by their source and by the test that sweeps the
// shapes. The others cut k by the number of threads, or take another path for few rows.
bool library_is_exact() {
  static const bool exact = [] {
    constexpr int kAvx512 = static_cast<int>(dnnl::cpu_isa::avx512_core);
    const int isa = static_cast<int>(dnnl::get_effective_cpu_isa());
    const dnnl::version_t* v = dnnl::version();
    return (isa & kAvx512) == kAvx512 && (v->major == 2 || (v->major == 3 && v->minor < 2));
  }();
  return exact;
}

// Everything a primitive depends on. Two packed weights of one [k,n] share their layout.
struct Key {
  std::array<int64_t, 6> sizes;  // m n k lda ldb ldc
  int flags;                     // transpose_a, transpose_b, accumulate, packed
  int threads;
  auto operator<=>(const Key&) const = default;
};

// Ragged batches meet many row counts, but a bounded number of them.
constexpr size_t kMaxPrimitives = 8192;

// Empty if the library has no fast kernel for this.
dnnl::matmul make_primitive(const memory::desc& a, const memory::desc& b, const memory::desc& c, bool accumulate) try {
  const auto description = describe(a, b, c, accumulate);
  if (std::string_view(description.impl_info_str()).starts_with("ref")) return {};
  return dnnl::matmul(description);
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw;
  return {};
}

const dnnl::matmul& primitive_for(const Matmul<float>& p, const memory::desc& a, const memory::desc& b,
                                  const memory::desc& c) {
  const Key key{{p.m, p.n, p.k, p.lda, p.packed_b ? 0 : p.ldb, p.ldc},
                p.transpose_a | p.transpose_b << 1 | p.accumulate << 2 | (p.packed_b != nullptr) << 3,
                omp_get_max_threads()};
  thread_local std::map<Key, dnnl::matmul> cache;
  const auto at = cache.find(key);
  if (at != cache.end()) return at->second;
  if (cache.size() >= kMaxPrimitives) cache.clear();
  return cache.emplace(key, make_primitive(a, b, c, p.accumulate)).first->second;
}

void library_product(const Matmul<float>& p) {
  const auto* packed = static_cast<const PackedB*>(p.packed_b);
  const memory::desc a = strided(p.m, p.k, p.lda, p.transpose_a);
  const memory::desc b = packed ? packed->data.get_desc() : strided(p.k, p.n, p.ldb, p.transpose_b);
  const memory::desc c = strided(p.m, p.n, p.ldc, false);
  const dnnl::matmul& primitive = primitive_for(p, a, b, c);
  if (!primitive) {
    Matmul<float> plain = p;
    plain.packed_b = nullptr;
    return gemm(plain);
  }
  const memory am(a, engine(), const_cast<float*>(p.a));
  const memory bm = packed ? packed->data : memory(b, engine(), const_cast<float*>(p.b));
  const memory cm(c, engine(), p.c);
  primitive.execute(stream(), {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, bm}, {DNNL_ARG_DST, cm}});
  stream().wait();
}

constexpr int64_t kBlockRows = 128, kBlockColumns = 512;

// A weight gradient sums over many rows, and the library would cut that sum by the
// number of threads. So c is cut instead, the same way always, and each block is one thread's.
void blocked_product(const Matmul<float>& p) {
  const int64_t down = (p.m + kBlockRows - 1) / kBlockRows, across = (p.n + kBlockColumns - 1) / kBlockColumns;
  std::exception_ptr failed;
  std::mutex mutex;
  parallel_for(down * across, 1, [&](int64_t begin, int64_t) {
    try {
      const ThreadScope alone(1);
      const int64_t row = begin / across * kBlockRows, column = begin % across * kBlockColumns;
      Matmul<float> block = p;
      block.m = std::min(kBlockRows, p.m - row), block.n = std::min(kBlockColumns, p.n - column);
      block.a += row * (p.transpose_a ? 1 : p.lda);
      block.b += column * (p.transpose_b ? p.ldb : 1);
      block.c += row * p.ldc + column;
      library_product(block);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = std::current_exception();
    }
  });
  if (failed) std::rethrow_exception(failed);
}

// Runs f, with the library's errors as ours.
template <class F>
decltype(auto) translated(F&& f) try {
  return f();
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw std::bad_alloc();
  throw DeviceError(text("matrix product: oneDNN failed: ", e.what()));
}

}  // namespace

// The layout that oneDNN asks for at 64 rows, which it also takes at any other number.
std::shared_ptr<const Packed> pack(const Matmul<float>& p) {
  if (p.n == 0 || p.k == 0) return nullptr;
  if (!library_is_exact()) return gemm_pack(p);
  return translated([&] {
    const memory::desc any({p.k, p.n}, kF32, memory::format_tag::any);
    const auto wanted = describe(strided(64, p.k, p.k, false), any, strided(64, p.n, p.n, false), false).weights_desc();
    const memory plain(strided(p.k, p.n, p.ldb, p.transpose_b), engine(), const_cast<float*>(p.b));
    auto out = std::make_shared<PackedB>();
    out->data = memory(wanted, engine());
    dnnl::reorder(plain, out->data).execute(stream(), const_cast<memory&>(plain), out->data);
    stream().wait();
    return out;
  });
}

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) {
    if (!p.accumulate)
      for (int64_t m = 0; m < p.m; ++m) std::fill_n(p.c + m * p.ldc, p.n, 0.0f);
    return;
  }
  if (!library_is_exact()) return gemm(p);
  translated([&] { p.transpose_a ? blocked_product(p) : library_product(p); });
}

}  // namespace lookback::kernels::cpu_impl
