#include "lookback/kernels/cpu/onednn.h"

#ifdef LOOKBACK_ONEDNN
#include <omp.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lookback/base/error.h"
#include "lookback/base/parallel.h"
#include "lookback/base/rung.h"
#include "lookback/kernels/cpu/bf16.h"
#include "lookback/kernels/cpu/pages.h"

namespace lookback::kernels::cpu_impl::onednn {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// Every use of the library begins here, as it listens to the first word only: below tiles (AMX), of which it cuts
// sums by the number of threads. Whether it listened.
bool is_told() {
  static const bool told = dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16) == dnnl::status::success;
  return told;
}

const dnnl::engine& engine() {
  static const dnnl::engine instance = [] {
    is_told();
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

memory::desc dense(int64_t rows, int64_t cols, Type type, bool transposed = false) {
  return {{rows, cols}, type, transposed ? memory::dims{1, rows} : memory::dims{cols, 1}};
}

// bias: how many elements it has, 0 for none. oneDNN 3 dropped the operation descriptor that version 2 put between;
// this is the one place that knows.
dnnl::matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b, const memory::desc& c,
                                      bool accumulate, int64_t bias = 0) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attributes.set_post_ops(ops);
  }
  const memory::desc added = bias ? dense(1, bias, Type::f32) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), a, b, added, c, attributes};
#else
  return {{a, b, added, c}, attributes, engine()};
#endif
}

struct PackedB final : Packed {
  std::unique_ptr<Pages> pages;
  memory data;
  Bf16Blocks pairs{};  // if it lies as that says
};

// A layout of blocks of 16 * `together` rows, one behind the other, by `width` columns, in which `together` rows of a
// column lie side by side (the library's BA16a64b2a is 64 wide, 2 together). `rows` with those that fill the last block
// up. Width 0: another one.
struct Layout {
  int64_t width, together, rows;
};

Layout layout_of(const memory::desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  if (d.get_format_kind() != memory::format_kind::blocked) return {};
  const auto sizes = d.get_inner_blks(), dimensions = d.get_inner_idxs(), strides = d.get_strides();
  const int64_t rows = d.get_padded_dims()[0];
#else
  if (d.data.format_kind != dnnl_blocked) return {};
  const auto& b = d.data.format_desc.blocking;
  const std::vector<int64_t> sizes(b.inner_blks, b.inner_blks + b.inner_nblks),
      dimensions(b.inner_idxs, b.inner_idxs + b.inner_nblks), strides(b.strides, b.strides + 2);
  const int64_t rows = d.data.padded_dims[0];
#endif
  const bool known = sizes.size() == 3 && sizes[0] == 16 && dimensions == std::vector<int64_t>{0, 1, 0} &&
                     strides[0] == 16 * sizes[1] * sizes[2] && strides[1] == rows * sizes[1];
  return known ? Layout{sizes[1], sizes[2], rows} : Layout{};
}

// Everything a primitive depends on. Two packed weights of one [k,n] share their layout.
struct Key {
  std::array<int64_t, 3> sizes;  // m n k
  int flags;                     // transpose_b, accumulate, packed, bias
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
  const auto* const packed = static_cast<const PackedB*>(p.packed_b);
  const memory::desc a = dense(p.m, p.k, Type::bf16);
  const memory::desc b = packed ? packed->data.get_desc() : dense(p.k, p.n, Type::bf16, p.transpose_b);
  const memory::desc c = dense(p.m, p.n, Type::f32);
  const auto description = describe(a, b, c, p.accumulate, p.bias ? p.n : 0);
  if (std::string_view(description.impl_info_str()).starts_with("ref")) return {};
  Ready out{.run = dnnl::matmul(description)};
  const auto nowhere = [](const memory::desc& d) { return memory(d, engine(), DNNL_MEMORY_NONE); };
  out.a = nowhere(a), out.b = nowhere(b), out.c = nowhere(c);
  out.arguments = {{DNNL_ARG_SRC, out.a}, {DNNL_ARG_WEIGHTS, out.b}, {DNNL_ARG_DST, out.c}};
  if (p.bias) {
    out.bias = nowhere(dense(1, p.n, Type::f32));
    out.arguments.emplace(DNNL_ARG_BIAS, out.bias);
  }
  return out;
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw;
  return {};
}

// The library's own threads stay out of it: they would wait for each other, spinning, where one of them has no core.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Runs f on this thread alone, with the library's errors as ours.
template <class F>
decltype(auto) translated(F&& f) try {
  const OneThread alone;
  return f();
} catch (const dnnl::error& e) {
  if (e.status == dnnl_out_of_memory) throw std::bad_alloc();
  throw DeviceError(str_cat("matrix product: oneDNN failed: ", e.what()));
}

void rearrange(memory from, memory to) {
  dnnl::reorder(from, to).execute(stream(), from, to);
  stream().wait();
}

// What the library asks for at 64 rows.
memory::desc packed_layout(int64_t k, int64_t n) {
  thread_local std::map<std::pair<int64_t, int64_t>, memory::desc> known;
  if (known.size() >= kMaxPrimitives) known.clear();
  auto& out = known[{k, n}];
  if (out.get_size() != 0) return out;
  out = describe(dense(64, k, Type::bf16), memory::desc({k, n}, Type::bf16, memory::format_tag::any),
                 dense(64, n, Type::f32), false)
            .weights_desc();
  return out;
}

// Makes room in `out` for a b of k by n.
void lay_out(int64_t k, int64_t n, PackedB& out) {
  const memory::desc desc = packed_layout(k, n);
  if (out.pages && out.data.get_desc() == desc) return;
  grow(out.pages, desc.get_size());
  out.data = memory(desc, engine(), out.pages->as<void>());
  const Layout layout = layout_of(desc);
  out.pairs = {};
  if (layout.together == 2) out.pairs = {out.pages->as<uint32_t>(), layout.rows, layout.width};
}

void pack_bf16(const Matmul<float>& p, int64_t depth, PackedB& out) {
  const FloatMatrix b{.data = p.b, .rows = p.transpose_b ? p.n : p.k, .cols = p.transpose_b ? p.k : p.n, .ld = p.ldb};
  if (out.pairs.data) return to_bf16_pairs(b, p.transpose_b, out.pairs);
  thread_local std::vector<uint16_t> rounded;
  const uint16_t* const rows = to_bf16(b, p.transpose_b ? p.n : depth, rounded);
  rearrange(memory(dense(depth, p.n, Type::bf16, p.transpose_b), engine(), const_cast<uint16_t*>(rows)), out.data);
}

// The product by this thread alone; false if the library has no fast kernel for it. `run`: or only whether it has.
bool multiply_alone(const Product& p, bool run) {
  return translated([&] {
    const auto* const packed = static_cast<const PackedB*>(p.packed_b);
    const Key key{{p.m, p.n, p.k},
                  p.transpose_b | p.accumulate << 1 | (packed != nullptr) << 2 | (p.bias != nullptr) << 3};
    thread_local std::map<Key, Ready> cache;
    auto at = cache.find(key);
    if (at == cache.end()) {
      if (cache.size() >= kMaxPrimitives) cache.clear();
      at = cache.emplace(key, make_ready(p)).first;
    }
    Ready& ready = at->second;
    if (!ready.run) return false;
    if (!run) return true;
    ready.a.set_data_handle(const_cast<uint16_t*>(p.a));
    if (packed)
      ready.arguments.insert_or_assign(DNNL_ARG_WEIGHTS, packed->data);
    else
      ready.b.set_data_handle(const_cast<uint16_t*>(p.b));
    ready.c.set_data_handle(p.c);
    if (p.bias) ready.bias.set_data_handle(const_cast<float*>(p.bias));
    ready.run.execute(stream(), ready.arguments);
    stream().wait();
    return true;
  });
}

Product some_rows(Product p, int64_t begin, int64_t end) {
  p.m = end - begin;
  p.a += begin * p.k, p.c += begin * p.n;
  return p;
}

}  // namespace

bool multiply(const Product& p) {
  constexpr int64_t kLeastRows = 16;
  const int64_t parts = std::clamp<int64_t>(p.m / kLeastRows, 1, thread_count());
  const int64_t rows = (p.m + parts - 1) / parts, last = p.m - (parts - 1) * rows;
  if (parts == 1 || last <= 0) return multiply_alone(p, true);
  if (!multiply_alone(some_rows(p, 0, rows), false) || !multiply_alone(some_rows(p, 0, last), false)) return false;
  parallel_try(p.m, rows, [&](int64_t begin, int64_t end) { multiply_alone(some_rows(p, begin, end), true); });
  return true;
}

std::unique_ptr<Packed> pack(const Matmul<float>& p, std::unique_ptr<Packed> old, int64_t depth) {
  return translated([&] {
    if (!old) {
      old = std::make_unique<PackedB>();
      old->precision = Precision::bf16;
    }
    auto& out = static_cast<PackedB&>(*old);
    depth = std::max(p.k, depth);
    lay_out(depth, p.n, out);
    pack_bf16(p, depth, out);
    return std::move(old);
  });
}

bool has_bf16() {
  // Of rows that depend on themselves alone: by the source of the AVX-512 kernels of these versions, and by the test
  // that sweeps the shapes. Other kernels cut k by the number of threads, or take another path for few rows.
  static const bool exact = [] {
    const dnnl::version_t* v = dnnl::version();
    return v->major == 2 || (v->major == 3 && v->minor < 2);
  }();
  // Where someone else in this process came first, the library may use tiles all the same, or less than there is.
  static const int isa = (is_told(), static_cast<int>(dnnl::get_effective_cpu_isa()));
  const auto uses = [](dnnl::cpu_isa some) { return (isa & static_cast<int>(some)) == static_cast<int>(some); };
  return exact && rung() >= Rung::avx512_bf16 && uses(dnnl::cpu_isa::avx512_core_bf16) &&
         !uses(dnnl::cpu_isa::avx512_core_amx);
}

bool is_held_below_tiles() { return is_told(); }

}  // namespace lookback::kernels::cpu_impl::onednn

#else

namespace lookback::kernels::cpu_impl::onednn {

// Not there: nobody is told of products that could be packed for.
bool multiply(const Product&) { return false; }
std::unique_ptr<Packed> pack(const Matmul<float>&, std::unique_ptr<Packed> old, int64_t) { return old; }
bool has_bf16() { return false; }
bool is_held_below_tiles() { return true; }

}  // namespace lookback::kernels::cpu_impl::onednn

#endif
