#include "lookback/kernels/cpu/onednn.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <new>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/kernels/cpu/int8.h"
#include "lookback/kernels/cpu/pages.h"

namespace lookback::kernels::cpu_impl::onednn {
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

Type sums_of(Type factors) { return factors == Type::s8 ? Type::s32 : Type::f32; }

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

struct PackedB final : Packed {
  std::unique_ptr<Pages> pages;
  memory data;
  // Of int8:
  int64_t stride = 0;  // from block to block; 0: it does not lie as `blocks` says
  std::vector<float> scales;
  std::vector<int32_t> compensation;  // only in blocks
};

// Of a layout that is as Blocks says (the library's BA16a64b4a): bytes from block to block. Else 0.
int64_t block_stride(const memory::desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  if (d.get_format_kind() != memory::format_kind::blocked) return 0;
  const auto sizes = d.get_inner_blks(), dimensions = d.get_inner_idxs(), strides = d.get_strides();
  const int64_t depth = d.get_padded_dims()[0];
#else
  if (d.data.format_kind != dnnl_blocked) return 0;
  const auto& b = d.data.format_desc.blocking;
  const std::vector<int64_t> sizes(b.inner_blks, b.inner_blks + b.inner_nblks),
      dimensions(b.inner_idxs, b.inner_idxs + b.inner_nblks), strides(b.strides, b.strides + 2);
  const int64_t depth = d.data.padded_dims[0];
#endif
  const bool known = sizes == std::vector<int64_t>{16, 64, 4} && dimensions == std::vector<int64_t>{0, 1, 0} &&
                     strides[0] == 16 * 64 * 4 && strides[1] == depth * 64;
  return known ? strides[1] : 0;
}

// Whether the layout of int8 in blocks goes on with the compensation, or with nothing; version 3 does not tell.
bool is_known_to_the_end([[maybe_unused]] const memory::desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  return false;
#else
  const auto flags = d.data.extra.flags;
  return flags == dnnl_memory_extra_flag_none ||
         (flags == dnnl_memory_extra_flag_compensation_conv_s8s8 && d.data.extra.compensation_mask == 2);
#endif
}

// Everything a primitive depends on. Two packed weights of one [k,n] share their layout.
struct Key {
  std::array<int64_t, 6> sizes;  // m n k lda ldb ldc
  int flags;                     // transpose_a, transpose_b, accumulate, packed, bias
  Precision precision;
  int threads;
  auto operator<=>(const Key&) const = default;
};

// Ragged batches meet many row counts, but a bounded number of them.
constexpr size_t kMaxPrimitives = 8192;

// A product and what it is made of, but for where they lie: a call only has to fill that in.
struct Ready {
  dnnl::matmul run;  // empty if the library has no fast kernel for this
  memory a, b, c, bias;
  std::unordered_map<int, memory> arguments;  // the same four, or a packed weight instead of b
};

Ready make_ready(const Product& p) try {
  const Type type = type_of(p.precision);
  const auto* const packed = static_cast<const PackedB*>(p.packed_b);
  const memory::desc a = strided(p.m, p.k, p.lda, p.transpose_a, type);
  const memory::desc b = packed ? packed->data.get_desc() : strided(p.k, p.n, p.ldb, p.transpose_b, type);
  const memory::desc c = strided(p.m, p.n, p.ldc, false, sums_of(type));
  const auto description = describe(a, b, c, p.accumulate, p.bias != nullptr);
  if (std::string_view(description.impl_info_str()).starts_with("ref")) return {};
  Ready out{.run = dnnl::matmul(description)};
  const auto nowhere = [](const memory::desc& d) { return memory(d, engine(), DNNL_MEMORY_NONE); };
  out.a = nowhere(a), out.b = nowhere(b), out.c = nowhere(c);
  out.arguments = {{DNNL_ARG_SRC, out.a}, {DNNL_ARG_WEIGHTS, out.b}, {DNNL_ARG_DST, out.c}};
  if (p.bias) {
    out.bias = nowhere(strided(1, p.n, p.n, false));
    out.arguments.emplace(DNNL_ARG_BIAS, out.bias);
  }
  return out;
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw;
  return {};
}

// Runs f, with the library's errors as ours.
template <class F>
decltype(auto) translated(F&& f) try {
  return f();
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw std::bad_alloc();
  throw DeviceError(text("matrix product: oneDNN failed: ", e.what()));
}

void rearrange(memory from, memory to) {
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
}

bool processor_has(dnnl::cpu_isa wanted) {
  const int isa = static_cast<int>(dnnl::get_effective_cpu_isa()), bits = static_cast<int>(wanted);
  return (isa & bits) == bits;
}

// For b in p.precision, with nothing in it yet.
std::unique_ptr<Packed> empty_pack(const Matmul<float>& p) {
  auto out = std::make_unique<PackedB>();
  out->precision = p.precision;
  const Type type = type_of(p.precision);
  const memory::desc any({p.k, p.n}, type, memory::format_tag::any);
  const auto layout =
      describe(strided(64, p.k, p.k, false, type), any, strided(64, p.n, p.n, false, sums_of(type)), false)
          .weights_desc();
  out->pages = std::make_unique<Pages>(layout.get_size());
  out->data = memory(layout, engine(), out->pages->as<void>());
  if (p.precision == Precision::int8) out->stride = block_stride(layout);
  return out;
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
  out.compensation.resize(static_cast<size_t>(out.stride ? p.n : 0));
  if (out.stride && is_known_to_the_end(layout)) {
    const auto blocks = static_cast<size_t>((p.n + 63) / 64 * 64 * ((p.k + 63) / 64 * 64));
    auto* const bytes = out.pages->as<int8_t>();
    std::memset(bytes + blocks, 0, layout.get_size() - blocks);
    to_int8_blocks(rows, bytes, out.compensation.data());
    if (layout.get_size() > blocks)
      std::memcpy(bytes + blocks, out.compensation.data(), out.compensation.size() * sizeof(int32_t));
    return;
  }
  for (size_t n = 0; n < out.compensation.size(); ++n) {
    const int8_t* const row = rows.data + static_cast<int64_t>(n) * rows.ld;
    out.compensation[n] = -128 * std::accumulate(row, row + p.k, 0);
  }
  if (rows.ld != p.k) {  // the library reorders dense rows only
    dense.resize(static_cast<size_t>(p.n * p.k));
    for (int64_t n = 0; n < p.n; ++n) std::copy_n(rows.data + n * rows.ld, p.k, dense.data() + n * p.k);
    rows.data = dense.data();
  }
  rearrange(memory(strided(p.k, p.n, p.k, true, Type::s8), engine(), const_cast<int8_t*>(rows.data)), out.data);
}

}  // namespace

bool multiply(const Product& p) {
  return translated([&] {
    const auto* const packed = static_cast<const PackedB*>(p.packed_b);
    const Key key{
        {p.m, p.n, p.k, p.lda, packed ? 0 : p.ldb, p.ldc},
        p.transpose_a | p.transpose_b << 1 | p.accumulate << 2 | (packed != nullptr) << 3 | (p.bias != nullptr) << 4,
        p.precision,
        omp_get_max_threads()};
    thread_local std::map<Key, Ready> cache;
    auto at = cache.find(key);
    if (at == cache.end()) {
      if (cache.size() >= kMaxPrimitives) cache.clear();
      at = cache.emplace(key, make_ready(p)).first;
    }
    Ready& ready = at->second;
    if (!ready.run) return false;
    ready.a.set_data_handle(const_cast<void*>(p.a));
    if (packed)
      ready.arguments.insert_or_assign(DNNL_ARG_WEIGHTS, packed->data);
    else
      ready.b.set_data_handle(const_cast<void*>(p.b));
    ready.c.set_data_handle(p.c);
    if (p.bias) ready.bias.set_data_handle(const_cast<float*>(p.bias));
    ready.run.execute(stream(), ready.arguments);
    stream().wait();
    return true;
  });
}

std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old) {
  return translated([&] {
    if (!old) old = empty_pack(p);
    auto& out = static_cast<PackedB&>(*old);
    if (out.precision == Precision::int8)
      pack_int8(p, out);
    else
      rearrange(memory(strided(p.k, p.n, p.ldb, p.transpose_b), engine(), const_cast<float*>(p.b)), out.data);
    return std::move(old);
  });
}

Blocks blocks(const Packed& b) {
  const auto& packed = static_cast<const PackedB&>(b);
  if (!packed.stride) return {};
  return {packed.pages->as<int8_t>(), packed.stride, packed.compensation.data()};
}

const float* scales(const Packed& b) { return static_cast<const PackedB&>(b).scales.data(); }

// By the source of the AVX-512 kernels of these versions, and by the test that sweeps the shapes. Other
// kernels cut k by the number of threads, or take another path for few rows.
bool is_exact() {
  static const bool exact = [] {
    const dnnl::version_t* v = dnnl::version();
    return processor_has(dnnl::cpu_isa::avx512_core) && (v->major == 2 || (v->major == 3 && v->minor < 2));
  }();
  return exact;
}

bool has_bf16() {
  static const bool has = processor_has(dnnl::cpu_isa::avx512_core_bf16);
  return has;
}

bool has_vnni() {
  static const bool has = processor_has(dnnl::cpu_isa::avx512_core_vnni);
  return has;
}

bool has_tiles() {
  static const bool has = processor_has(dnnl::cpu_isa::avx512_core_amx);
  return has;
}

}  // namespace lookback::kernels::cpu_impl::onednn
