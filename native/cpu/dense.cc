// oneDNN behind Dense: a hash map from a plain key (kind and sizes) to a primitive with its layouts. Activations
// are NHWC as they are; oneDNN chooses the layout of the weights, which are reordered in each call.
#include "cpu/dense.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "cpu/onednn.h"
#include "cpu/parallel.h"
#include "cpu/scratch.h"

namespace igcnet {
namespace {

using dnnl::memory;

enum class Kind : int64_t { kForward, kForwardBias, kForwardBiasRelu, kBackwardInput, kBackwardWeight, kMatmul };

struct Key {
  std::array<int64_t, 12> fields{};
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  size_t operator()(const Key& key) const {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, a field at a time
    for (const int64_t field : key.fields) hash = (hash ^ static_cast<uint64_t>(field)) * 0x100000001b3;
    return static_cast<size_t>(hash ^ hash >> 32);
  }
};

// One primitive. `weights` is in oneDNN's layout; `reorder` goes from or to `user_weights` if the two differ.
struct Entry {
  dnnl::primitive primitive, reorder;
  memory::desc src, weights, dst, bias, user_weights, scratchpad, reorder_scratchpad;
  bool reordered = false;
};

dnnl::primitive_attr strict_attr() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_fpmath_mode(dnnl::fpmath_mode::strict);
  return attr;
}

// Holds oneDNN to as many threads as get enough work, while it makes a primitive and while it runs one: both depend on
// the sizes in the same way.
class Team {
 public:
  explicit Team(int64_t multiply_adds) : before_(omp_get_max_threads()) {
    const int64_t wanted = std::clamp<int64_t>(multiply_adds / kMultiplyAddGrain, 1, before_);
    if (wanted != before_) omp_set_num_threads(static_cast<int>(wanted));
  }
  ~Team() { omp_set_num_threads(before_); }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

 private:
  int before_;
};

// With a ReLU behind the operation, which leaves kLeft of a negative number: with 0 oneDNN makes 0 of a NaN.
dnnl::primitive_attr relu_attr() {
  constexpr float kLeft = 1e-30f;
  dnnl::post_ops ops;
  append_eltwise(ops, dnnl::algorithm::eltwise_relu, kLeft);
  dnnl::primitive_attr attr = strict_attr();
  attr.set_post_ops(ops);
  return attr;
}

int64_t multiply_adds(const Conv2dSizes& z) { return z.N * z.P * z.Q * z.K * z.R * z.S * z.C; }

// What oneDNN throws, as an Error.
template <class Body>
void guarded(const char* what, const Body& body) {
  try {
    body();
  } catch (const dnnl::error& error) {
    const bool memory_short = error.status == dnnl_out_of_memory;
    throw Error(memory_short ? ErrorCode::kOutOfMemory : ErrorCode::kInternal,
                std::string(what) + ": oneDNN reports: " + error.what());
  }
}

memory::desc f32(const memory::dims& dims, memory::format_tag tag) { return {dims, memory::data_type::f32, tag}; }

}  // namespace

struct Dense::Cache {
  static constexpr size_t kMaxEntries = 512;  // a depth 62 network has about 30 different ones

  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::unordered_map<Key, Entry, KeyHash> entries;
  Scratch scratchpad, weights;

  template <class Make>
  Entry& entry(const Key& key, const Make& make) {
    const auto found = entries.find(key);
    if (found != entries.end()) return found->second;
    if (entries.size() >= kMaxEntries) entries.clear();
    return entries.emplace(key, make()).first->second;
  }

  memory wrap(const memory::desc& desc, const void* data) { return {desc, engine, const_cast<void*>(data)}; }

  memory scratch(const memory::desc& desc) { return wrap(desc, scratchpad.take<std::byte>(desc.get_size())); }

  Entry make_conv(Kind kind, const Conv2dSizes& z);
  Entry make_matmul(const MatmulSizes& m, bool with_bias);
  Entry& conv(Kind kind, const Conv2dSizes& z) {
    const Key key{{static_cast<int64_t>(kind), z.N, z.H, z.W, z.C, z.K, z.R, z.S, z.stride, z.padding}};
    return entry(key, [&] { return make_conv(kind, z); });
  }

  void run_reorder(Entry& e, const memory& from, const memory& to) {
    e.reorder.execute(stream,
                      {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, scratch(e.reorder_scratchpad)}});
  }

  // The weights of a call as the primitive wants them.
  memory packed_weights(Entry& e, const float* w) {
    const memory user = wrap(e.user_weights, w);
    if (!e.reordered) return user;
    const memory packed = wrap(e.weights, weights.take<std::byte>(e.weights.get_size()));
    run_reorder(e, user, packed);
    return packed;
  }
};

Entry Dense::Cache::make_conv(Kind kind, const Conv2dSizes& z) {
  using tag = memory::format_tag;
  const memory::desc x = f32({z.N, z.C, z.H, z.W}, tag::nhwc), y = f32({z.N, z.K, z.P, z.Q}, tag::nhwc);
  const memory::desc any_w = f32({z.K, z.C, z.R, z.S}, tag::any);
  const memory::dims strides{z.stride, z.stride}, padding{z.padding, z.padding};
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const dnnl::primitive_attr attr = strict_attr();
  const auto forward = describe<dnnl::convolution_forward>(engine, attr, dnnl::prop_kind::forward_training, algorithm,
                                                           x, any_w, y, strides, padding, padding);
  Entry e;
  e.src = x;
  e.dst = y;
  e.user_weights = f32({z.K, z.C, z.R, z.S}, tag::ohwi);
  if (kind == Kind::kForwardBias || kind == Kind::kForwardBiasRelu) {
    e.bias = f32({z.K}, tag::a);
    const auto with_bias = describe<dnnl::convolution_forward>(engine, kind == Kind::kForwardBias ? attr : relu_attr(),
                                                               dnnl::prop_kind::forward_inference, algorithm, x, any_w,
                                                               e.bias, y, strides, padding, padding);
    e.primitive = dnnl::convolution_forward(with_bias);
    e.weights = with_bias.weights_desc();
    e.scratchpad = with_bias.scratchpad_desc();
  } else if (kind == Kind::kForward) {
    e.primitive = dnnl::convolution_forward(forward);
    e.weights = forward.weights_desc();
    e.scratchpad = forward.scratchpad_desc();
  } else if (kind == Kind::kBackwardInput) {
    const auto backward = describe_backward<dnnl::convolution_backward_data>(engine, attr, forward, algorithm, x, any_w,
                                                                             y, strides, padding, padding);
    e.primitive = dnnl::convolution_backward_data(backward);
    e.weights = backward.weights_desc();
    e.scratchpad = backward.scratchpad_desc();
  } else {
    const auto backward = describe_backward<dnnl::convolution_backward_weights>(engine, attr, forward, algorithm, x,
                                                                                any_w, y, strides, padding, padding);
    e.primitive = dnnl::convolution_backward_weights(backward);
    e.weights = backward.diff_weights_desc();
    e.scratchpad = backward.scratchpad_desc();
  }
  e.reordered = e.weights != e.user_weights;
  if (e.reordered) {
    const bool outwards = kind == Kind::kBackwardWeight;
    const dnnl::reorder::primitive_desc reorder(engine, outwards ? e.weights : e.user_weights, engine,
                                                outwards ? e.user_weights : e.weights, attr);
    e.reorder = dnnl::reorder(reorder);
    e.reorder_scratchpad = reorder.scratchpad_desc();
  }
  return e;
}

Entry Dense::Cache::make_matmul(const MatmulSizes& m, bool with_bias) {
  const auto type = memory::data_type::f32;
  Entry e;
  e.src = memory::desc({m.rows, m.depth}, type, memory::dims{m.a_row, m.a_column});
  e.weights = memory::desc({m.depth, m.columns}, type, memory::dims{m.b_row, m.b_column});
  e.dst = memory::desc({m.rows, m.columns}, type, memory::dims{m.columns, 1});
  e.bias = memory::desc({1, m.columns}, type, memory::dims{m.columns, 1});
  const dnnl::primitive_attr attr = strict_attr();
  const auto description = with_bias ? describe<dnnl::matmul>(engine, attr, e.src, e.weights, e.bias, e.dst)
                                     : describe<dnnl::matmul>(engine, attr, e.src, e.weights, e.dst);
  e.primitive = dnnl::matmul(description);
  e.scratchpad = description.scratchpad_desc();
  return e;
}

// One primitive of each kind is made here, on the thread of JavaScript, and thrown away: so oneDNN's static objects are
// there before any op runs, and process.exit() destroys them after it has stopped the stream (binding/process_exit.h),
// not while an op makes the first primitive of its kind.
Dense::Dense() {
  guarded("cpu", [&] {
    cache_ = std::make_unique<Cache>();
    const Conv2dSizes blocked{
        .N = 1, .H = 4, .W = 4, .C = 16, .K = 16, .R = 3, .S = 3, .G = 1, .P = 4, .Q = 4, .stride = 1, .padding = 1};
    for (const Kind kind : {Kind::kForward, Kind::kForwardBiasRelu, Kind::kBackwardInput, Kind::kBackwardWeight}) {
      cache_->make_conv(kind, blocked);
    }
    cache_->make_matmul({.rows = 2, .columns = 2, .depth = 2, .a_row = 2, .a_column = 1, .b_row = 2, .b_column = 1},
                        true);
  });
}

Dense::~Dense() = default;

void Dense::reset() { cache_->entries.clear(); }

bool Dense::takes(const Conv2dSizes& z) {
  constexpr int64_t kMaxStride = 16, kMaxSize = int64_t{1} << 24;  // far from the limits of its 32-bit arithmetic
  const auto small = [](int64_t size) { return size <= kMaxSize; };
  // oneDNN issue 6035: with fewer channels than a block (8 or 16), the weight gradient of a 1x1 convolution with a
  // stride overruns a buffer: wrong numbers, or threads that never end (seen with 2.6.3 on AVX2).
  constexpr int64_t kWidestBlock = 16;
  if (z.R == 1 && z.S == 1 && z.stride > 1 && z.C < kWidestBlock) return false;
  return z.G == 1 && z.padding < z.R && z.padding < z.S && z.stride <= kMaxStride && small(z.N) && small(z.H * z.W) &&
         small(z.C) && small(z.K) && small(z.H) && small(z.W) && small(z.R * z.S);
}

void Dense::conv_forward(const Conv2dSizes& z, const float* x, const float* w, float* y, const float* bias, bool relu) {
  guarded("conv2d", [&] {
    const Team team(multiply_adds(z));
    Entry& e = cache_->conv(bias == nullptr ? Kind::kForward : relu ? Kind::kForwardBiasRelu : Kind::kForwardBias, z);
    const memory packed = cache_->packed_weights(e, w);
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, cache_->wrap(e.src, x)},
                                              {DNNL_ARG_WEIGHTS, packed},
                                              {DNNL_ARG_DST, cache_->wrap(e.dst, y)},
                                              {DNNL_ARG_SCRATCHPAD, cache_->scratch(e.scratchpad)}};
    if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, cache_->wrap(e.bias, bias));
    e.primitive.execute(cache_->stream, arguments);
    cache_->stream.wait();
  });
}

void Dense::conv_backward_input(const Conv2dSizes& z, const float* dy, const float* w, float* dx) {
  guarded("conv2d", [&] {
    const Team team(multiply_adds(z));
    Entry& e = cache_->conv(Kind::kBackwardInput, z);
    const memory packed = cache_->packed_weights(e, w);
    e.primitive.execute(cache_->stream, {{DNNL_ARG_DIFF_SRC, cache_->wrap(e.src, dx)},
                                         {DNNL_ARG_WEIGHTS, packed},
                                         {DNNL_ARG_DIFF_DST, cache_->wrap(e.dst, dy)},
                                         {DNNL_ARG_SCRATCHPAD, cache_->scratch(e.scratchpad)}});
    cache_->stream.wait();
  });
}

void Dense::conv_backward_weight(const Conv2dSizes& z, const float* dy, const float* x, float* dw) {
  guarded("conv2d", [&] {
    const Team team(multiply_adds(z));
    Entry& e = cache_->conv(Kind::kBackwardWeight, z);
    const memory user = cache_->wrap(e.user_weights, dw);
    const memory packed =
        e.reordered ? cache_->wrap(e.weights, cache_->weights.take<std::byte>(e.weights.get_size())) : user;
    e.primitive.execute(cache_->stream, {{DNNL_ARG_SRC, cache_->wrap(e.src, x)},
                                         {DNNL_ARG_DIFF_WEIGHTS, packed},
                                         {DNNL_ARG_DIFF_DST, cache_->wrap(e.dst, dy)},
                                         {DNNL_ARG_SCRATCHPAD, cache_->scratch(e.scratchpad)}});
    if (e.reordered) cache_->run_reorder(e, packed, user);
    cache_->stream.wait();
  });
}

void Dense::matmul(const MatmulSizes& m, const float* a, const float* b, const float* bias, float* c) {
  guarded("linear", [&] {
    const Team team(m.rows * m.columns * m.depth);
    const Key key{{static_cast<int64_t>(Kind::kMatmul), m.rows, m.columns, m.depth, m.a_row, m.a_column, m.b_row,
                   m.b_column, bias != nullptr}};
    Entry& e = cache_->entry(key, [&] { return cache_->make_matmul(m, bias != nullptr); });
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, cache_->wrap(e.src, a)},
                                              {DNNL_ARG_WEIGHTS, cache_->wrap(e.weights, b)},
                                              {DNNL_ARG_DST, cache_->wrap(e.dst, c)},
                                              {DNNL_ARG_SCRATCHPAD, cache_->scratch(e.scratchpad)}};
    if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, cache_->wrap(e.bias, bias));
    e.primitive.execute(cache_->stream, arguments);
    cache_->stream.wait();
  });
}

}  // namespace igcnet
