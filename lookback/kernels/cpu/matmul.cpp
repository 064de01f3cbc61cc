#include "lookback/kernels/cpu/matmul.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/gemm.h"
#include "lookback/kernels/cpu/int8.h"

namespace lookback::kernels::cpu_impl {
namespace {

using dnnl::memory;
using Type = memory::data_type;

const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

memory::desc strided(int64_t rows, int64_t cols, int64_t ld, bool transposed, Type type = Type::f32) {
  return transposed ? memory::desc({rows, cols}, type, memory::dims{1, ld})
                    : memory::desc({rows, cols}, type, memory::dims{ld, 1});
}

Type type_of(Precision p) { return p == Precision::int8 ? Type::s8 : p == Precision::bf16 ? Type::bf16 : Type::f32; }

// oneDNN 3 dropped the operation descriptor that version 2 put between; this is the one place that knows.
dnnl::matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b, const memory::desc& c,
                                      bool accumulate, bool bias = false) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attributes.set_post_ops(ops);
  }
  const memory::desc added = bias ? strided(1, c.dims()[1], c.dims()[1], false) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, added, c, attributes};
#else
  return {{a, b, added, c}, attributes, engine()};
#endif
}

// Memory for a packed weight, in large pages where it fills one: a decoder reads all of its weights
// for every token, and would spend a good part of that time on finding the pages.
struct Pages {
  explicit Pages(size_t bytes) : alignment{bytes < kLargePage ? kPage : kLargePage} {
    data = ::operator new(bytes, alignment);
    if (bytes >= kLargePage) ::madvise(data, bytes / kPage * kPage, MADV_HUGEPAGE);
  }
  ~Pages() { ::operator delete(data, alignment); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  static constexpr size_t kPage = 4096, kLargePage = size_t{2} << 20;
  std::align_val_t alignment;
  void* data;
};

struct PackedB final : Packed {
  std::unique_ptr<Pages> pages;
  memory data;
  std::vector<float> scales;  // int8: of every column
};

bool processor_has(dnnl::cpu_isa wanted) {
  const int isa = static_cast<int>(dnnl::get_effective_cpu_isa()), bits = static_cast<int>(wanted);
  return (isa & bits) == bits;
}

// Whether to_int8_blocks writes this layout.
bool is_int8_blocks([[maybe_unused]] const memory::desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  return false;  // it does not tell all about its layouts
#else
  const auto& b = d.data.format_desc.blocking;
  const auto flags = d.data.extra.flags;
  return d.data.format_kind == dnnl_blocked && b.inner_nblks == 3 && b.inner_blks[0] == 16 && b.inner_blks[1] == 64 &&
         b.inner_blks[2] == 4 && b.inner_idxs[0] == 0 && b.inner_idxs[1] == 1 && b.inner_idxs[2] == 0 &&
         b.strides[0] == 4096 && b.strides[1] == d.data.padded_dims[0] * 64 &&
         (flags == dnnl_memory_extra_flag_none ||
          (flags == dnnl_memory_extra_flag_compensation_conv_s8s8 && d.data.extra.compensation_mask == 2));
#endif
}

// Whether a row's product with a weight depends on that row alone. It does for the
// AVX-512 kernels of these versions, by their source and by the test that sweeps the
// shapes. The others cut k by the number of threads, or take another path for few rows.
bool library_is_exact() {
  static const bool exact = [] {
    const dnnl::version_t* v = dnnl::version();
    return processor_has(dnnl::cpu_isa::avx512_core) && (v->major == 2 || (v->major == 3 && v->minor < 2));
  }();
  return exact;
}

template <class T>
void grow(std::vector<T>& buffer, int64_t size) {
  if (std::ssize(buffer) < size) buffer.resize(static_cast<size_t>(size));
}

// A product as the library is asked for it.
struct Request {
  int64_t m, n, k;
  Type type;  // of a and b
  const void* a;
  int64_t lda;
  bool transpose_a;
  const void* b;
  int64_t ldb;
  bool transpose_b;
  const PackedB* packed_b;  // instead of b, or null
  void* c;
  int64_t ldc;
  bool accumulate;
  const float* bias;

  Type c_type() const { return type == Type::s8 ? Type::s32 : Type::f32; }
};

// Everything a primitive depends on. Two packed weights of one [k,n] share their layout.
struct Key {
  std::array<int64_t, 6> sizes;  // m n k lda ldb ldc
  int flags;                     // transpose_a, transpose_b, accumulate, packed, bias
  Type type;
  int threads;
  auto operator<=>(const Key&) const = default;
};

// Ragged batches meet many row counts, but a bounded number of them.
constexpr size_t kMaxPrimitives = 8192;

// Empty if the library has no fast kernel for this.
dnnl::matmul make_primitive(const memory::desc& a, const memory::desc& b, const memory::desc& c, bool accumulate,
                            bool bias) try {
  const auto description = describe(a, b, c, accumulate, bias);
  if (std::string_view(description.impl_info_str()).starts_with("ref")) return {};
  return dnnl::matmul(description);
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw;
  return {};
}

// False, and nothing done, if the library has no fast kernel for this.
bool library_product(const Request& r) {
  const Key key{
      {r.m, r.n, r.k, r.lda, r.packed_b ? 0 : r.ldb, r.ldc},
      r.transpose_a | r.transpose_b << 1 | r.accumulate << 2 | (r.packed_b != nullptr) << 3 | (r.bias != nullptr) << 4,
      r.type,
      omp_get_max_threads()};
  const memory::desc a = strided(r.m, r.k, r.lda, r.transpose_a, r.type);
  const memory::desc b = r.packed_b ? r.packed_b->data.get_desc() : strided(r.k, r.n, r.ldb, r.transpose_b, r.type);
  const memory::desc c = strided(r.m, r.n, r.ldc, false, r.c_type());
  thread_local std::map<Key, dnnl::matmul> cache;
  auto at = cache.find(key);
  if (at == cache.end()) {
    if (cache.size() >= kMaxPrimitives) cache.clear();
    at = cache.emplace(key, make_primitive(a, b, c, r.accumulate, r.bias != nullptr)).first;
  }
  if (!at->second) return false;
  const memory am(a, engine(), const_cast<void*>(r.a));
  const memory bm = r.packed_b ? r.packed_b->data : memory(b, engine(), const_cast<void*>(r.b));
  const memory cm(c, engine(), r.c);
  std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, bm}, {DNNL_ARG_DST, cm}};
  if (r.bias)
    arguments.emplace(DNNL_ARG_BIAS, memory(strided(1, r.n, r.n, false), engine(), const_cast<float*>(r.bias)));
  at->second.execute(stream(), arguments);
  stream().wait();
  return true;
}

// The factors of a product in bf16, each as it was stored; null where there is none.
struct Rounded {
  const uint16_t *a = nullptr, *b = nullptr;
  int64_t lda = 0, ldb = 0;
};

// p, with its factors as `rounded` has them, if any.
void float_product(const Matmul<float>& p, const Rounded& rounded) {
  Request r{.m = p.m,
            .n = p.n,
            .k = p.k,
            .type = Type::f32,
            .a = p.a,
            .lda = p.lda,
            .transpose_a = p.transpose_a,
            .b = p.b,
            .ldb = p.ldb,
            .transpose_b = p.transpose_b,
            .packed_b = static_cast<const PackedB*>(p.packed_b),
            .c = p.c,
            .ldc = p.ldc,
            .accumulate = p.accumulate,
            .bias = p.bias};
  if (rounded.a) r.type = Type::bf16, r.a = rounded.a, r.lda = rounded.lda, r.b = rounded.b, r.ldb = rounded.ldb;
  if (library_product(r)) return;
  Matmul<float> plain = p;
  plain.packed_b = nullptr;
  gemm(plain);
}

constexpr int64_t kBlockRows = 128, kBlockColumns = 512;

// A weight gradient sums over many rows, and the library would cut that sum by the
// number of threads. So c is cut instead, the same way always, and each block is one thread's.
void blocked_product(const Matmul<float>& p, const Rounded& rounded) {
  const int64_t down = (p.m + kBlockRows - 1) / kBlockRows, across = (p.n + kBlockColumns - 1) / kBlockColumns;
  std::exception_ptr failed;
  std::mutex mutex;
  parallel_for(down * across, 1, [&](int64_t begin, int64_t) {
    try {
      const ThreadScope alone(1);
      const int64_t row = begin / across * kBlockRows, column = begin % across * kBlockColumns;
      Matmul<float> block = p;
      block.packed_b = nullptr;
      block.m = std::min(kBlockRows, p.m - row), block.n = std::min(kBlockColumns, p.n - column);
      block.a += row * (p.transpose_a ? 1 : p.lda);
      block.b += column * (p.transpose_b ? p.ldb : 1);
      block.c += row * p.ldc + column;
      if (block.bias) block.bias += column;
      Rounded factors = rounded;
      if (factors.a) {
        factors.a += row * (p.transpose_a ? 1 : factors.lda);
        factors.b += column * (p.transpose_b ? factors.ldb : 1);
      }
      float_product(block, factors);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = std::current_exception();
    }
  });
  if (failed) std::rethrow_exception(failed);
}

// Tiles (AMX) take products of fewer rows another way, whose sums differ.
constexpr int64_t kTileRows = 16;

bool has_tiles() {
  static const bool amx = processor_has(dnnl::cpu_isa::avx512_core_amx);
  return amx;
}

// p with zeros below its rows.
void padded_product(const Matmul<float>& p, const Rounded& rounded) {
  thread_local std::vector<float> c;
  grow(c, kTileRows * p.n);
  if (p.accumulate)
    for (int64_t m = 0; m < p.m; ++m) std::copy_n(p.c + m * p.ldc, p.n, c.data() + m * p.n);
  Matmul<float> whole = p;
  whole.m = kTileRows, whole.c = c.data(), whole.ldc = p.n;
  float_product(whole, rounded);
  for (int64_t m = 0; m < p.m; ++m) std::copy_n(c.data() + m * p.n, p.n, p.c + m * p.ldc);
}

// Ragged batches have any number of rows, and every one of them would be a kernel of its own, made
// at some cost and kept. So long sums and many rows are cut into whole units, for which there are few
// kernels, and the rest.
constexpr int64_t kUnit = 64;
int64_t whole_units(int64_t n) { return n / kUnit * kUnit; }
int64_t padded_to_units(int64_t n) { return whole_units(n + kUnit - 1); }

// The sum over all rows of a^T b. The last rows are followed by zeros.
void gradient_product(const Matmul<float>& p) {
  Matmul<float> part = p;
  part.k = whole_units(p.k);
  if (part.k) blocked_product(part, {});
  if (part.k == p.k) return;
  thread_local std::vector<float> a, b;
  a.assign(static_cast<size_t>(kUnit * p.m), 0), b.assign(static_cast<size_t>(kUnit * p.n), 0);
  for (int64_t k = part.k; k < p.k; ++k) {
    std::copy_n(p.a + k * p.lda, p.m, a.data() + (k - part.k) * p.m);
    std::copy_n(p.b + k * p.ldb, p.n, b.data() + (k - part.k) * p.n);
  }
  Matmul<float> rest = p;
  rest.k = kUnit, rest.accumulate = p.accumulate || part.k > 0;
  if (part.k) rest.bias = nullptr;
  rest.a = a.data(), rest.lda = p.m, rest.b = b.data(), rest.ldb = p.n;
  blocked_product(rest, {});
}

void bf16_gradient_product(const Matmul<float>& p) {
  thread_local std::vector<uint16_t> a, b;
  Matmul<float> whole = p;
  whole.k = padded_to_units(p.k);
  blocked_product(whole, {.a = to_bf16({.data = p.a, .rows = p.k, .cols = p.m, .ld = p.lda}, whole.k, a),
                          .b = to_bf16({.data = p.b, .rows = p.k, .cols = p.n, .ld = p.ldb}, whole.k, b),
                          .lda = p.m,
                          .ldb = p.n});
}

void bf16_product(const Matmul<float>& p) {
  thread_local std::vector<uint16_t> a, b;
  const bool pad = p.m < kTileRows && has_tiles();
  Rounded rounded{.lda = p.k, .ldb = p.transpose_b ? p.k : p.n};
  rounded.a = to_bf16({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, pad ? kTileRows : p.m, a);
  if (!p.packed_b) {
    const int64_t b_rows = p.transpose_b ? p.n : p.k;
    rounded.b = to_bf16({.data = p.b, .rows = b_rows, .cols = rounded.ldb, .ld = p.ldb}, b_rows, b);
  }
  pad ? padded_product(p, rounded) : float_product(p, rounded);
}

// Sums of int8 products are whole numbers: nothing about them depends on their order.
void int8_product(const Matmul<float>& p) {
  thread_local std::vector<int8_t> a;
  thread_local std::vector<float> scales;
  thread_local std::vector<int32_t> sums;
  const auto& packed = static_cast<const PackedB&>(*p.packed_b);
  grow(a, p.m * p.k), grow(scales, p.m), grow(sums, p.m * p.n);
  to_int8({.data = p.a, .rows = p.m, .cols = p.k, .ld = p.lda}, a.data(), scales.data());
  const bool done = library_product({.m = p.m,
                                     .n = p.n,
                                     .k = p.k,
                                     .type = Type::s8,
                                     .a = a.data(),
                                     .lda = p.k,
                                     .packed_b = &packed,
                                     .c = sums.data(),
                                     .ldc = p.n});
  check<DeviceError>(done, "matrix product: oneDNN has no fast int8 kernel for ", p.m, " x ", p.k, " x ", p.n);
  from_int8({.sums = sums.data(),
             .m = p.m,
             .n = p.n,
             .a_scales = scales.data(),
             .b_scales = packed.scales.data(),
             .bias = p.bias},
            p.c, p.ldc, p.accumulate);
}

// c = a^T b
void transposed_product(const Matmul<float>& p, Precision precision) {
  if (p.transpose_b) return blocked_product(p, {});
  precision == Precision::bf16 ? bf16_gradient_product(p) : gradient_product(p);
}

// c = a b, where no row depends on another.
void row_product(const Matmul<float>& p, Precision precision) {
  if (p.m > 2 * kUnit && p.m % kUnit != 0) {
    Matmul<float> first = p, rest = p;
    first.m = whole_units(p.m), rest.m = p.m - first.m;
    rest.a += first.m * p.lda, rest.c += first.m * p.ldc;
    row_product(first, precision);
    return row_product(rest, precision);
  }
  if (precision == Precision::int8) return int8_product(p);
  precision == Precision::bf16 ? bf16_product(p) : float_product(p, {});
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

bool has_products(Precision precision) {
  static const bool bf16 = library_is_exact() && processor_has(dnnl::cpu_isa::avx512_core_bf16);
  static const bool int8 = processor_has(dnnl::cpu_isa::avx512_core_vnni);
  return precision == Precision::f32 || (precision == Precision::bf16 ? bf16 : int8);
}

// Intel's vdpbf16ps does twice the work of an f32 instruction in four times its time (84 against 161 GFLOP/s
// on one core of a Sapphire Rapids without tiles); AMD's takes no longer (217 against 111 on Zen 4).
bool has_fast_products(Precision precision) {
  if (precision != Precision::bf16) return has_products(precision);
  return has_products(precision) && (has_tiles() || !__builtin_cpu_is("intel"));
}

namespace {

void rearrange(memory from, memory to) {
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
}

// p.b as int8 rows with their scales, made here unless p brings them.
void pack_int8(const Matmul<float>& p, PackedB& out) {
  std::vector<int8_t> dense;
  Int8Matrix rows{.data = p.b_int8, .n = p.n, .k = p.k, .ld = p.ldb};
  if (p.b_int8) {
    out.scales.assign(p.b_scales, p.b_scales + p.n);
  } else {
    dense.resize(static_cast<size_t>(p.n * p.k)), out.scales.resize(static_cast<size_t>(p.n));
    to_int8({.data = p.b, .rows = p.n, .cols = p.k, .ld = p.ldb}, dense.data(), out.scales.data());
    rows.data = dense.data(), rows.ld = p.k;
  }
  const memory::desc layout = out.data.get_desc();
  if (is_int8_blocks(layout)) {
    const auto blocks = static_cast<size_t>(padded_to_units(p.n) * padded_to_units(p.k));
    auto* const bytes = static_cast<int8_t*>(out.pages->data);
    std::memset(bytes + blocks, 0, layout.get_size() - blocks);
    return to_int8_blocks(rows, bytes,
                          layout.get_size() > blocks ? reinterpret_cast<int32_t*>(bytes + blocks) : nullptr);
  }
  if (rows.ld != p.k) {  // the library reorders dense rows only
    dense.resize(static_cast<size_t>(p.n * p.k));
    for (int64_t n = 0; n < p.n; ++n) std::copy_n(rows.data + n * rows.ld, p.k, dense.data() + n * p.k);
    rows.data = dense.data();
  }
  rearrange(memory(strided(p.k, p.n, p.k, true, Type::s8), engine(), const_cast<int8_t*>(rows.data)), out.data);
}

}  // namespace

// The layout that oneDNN asks for at 64 rows, which it also takes at any other number.
std::shared_ptr<const Packed> pack(const Matmul<float>& p) {
  if (p.n == 0 || p.k == 0) return nullptr;
  const bool int8 = p.precision == Precision::int8;
  const bool as_asked = has_products(p.precision) && (!int8 || p.transpose_b);  // scales belong to rows as stored
  const Precision precision = as_asked ? p.precision : Precision::f32;
  if (precision == Precision::f32 && !library_is_exact()) return gemm_pack(p);
  return translated([&] {
    auto out = std::make_shared<PackedB>();
    out->precision = precision;
    const Type type = type_of(precision), c_type = type == Type::s8 ? Type::s32 : Type::f32;
    const memory::desc any({p.k, p.n}, type, memory::format_tag::any);
    const auto wanted =
        describe(strided(64, p.k, p.k, false, type), any, strided(64, p.n, p.n, false, c_type), false).weights_desc();
    out->pages = std::make_unique<Pages>(wanted.get_size());
    out->data = memory(wanted, engine(), out->pages->data);
    if (type == Type::s8) {
      pack_int8(p, *out);
    } else {
      const memory plain(strided(p.k, p.n, p.ldb, p.transpose_b), engine(), const_cast<float*>(p.b));
      rearrange(plain, out->data);
    }
    return out;
  });
}

namespace {

// A packed b was packed for its precision. Without one there is no int8.
Precision precision_of(const Matmul<float>& p) {
  if (p.packed_b) return p.packed_b->precision;
  return p.precision == Precision::bf16 && has_products(p.precision) ? Precision::bf16 : Precision::f32;
}

}  // namespace

void matmul(const Matmul<float>& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.k == 0) return ref<float>().matmul(p);  // no library has a product of nothing
  const Precision precision = precision_of(p);
  if (!library_is_exact() && precision != Precision::int8) return gemm(p);
  translated([&] { p.transpose_a ? transposed_product(p, precision) : row_product(p, precision); });
}

}  // namespace lookback::kernels::cpu_impl
