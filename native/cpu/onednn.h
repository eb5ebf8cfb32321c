// oneDNN in both of its current versions: version 2 (Debian 12, Ubuntu 22.04) wants an operation described in an object
// of its own, version 3 (Debian 13, Ubuntu 24.04) in the arguments of primitive_desc. Checked by building against both.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace igcnet {

// The primitive_desc of a forward primitive; `operation` are the arguments between engine and attributes of version 3.
template <class Primitive, class... Operation>
typename Primitive::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                            const Operation&... operation) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, operation..., attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(operation...), attr, engine);
#endif
}

// The same of a backward primitive, which needs the primitive_desc of its forward one.
template <class Primitive, class Forward, class... Operation>
typename Primitive::primitive_desc describe_backward(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                                     const Forward& forward, const Operation&... operation) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, operation..., forward, attr);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(operation...), attr, engine, forward);
#endif
}

// An elementwise operation behind a primitive.
inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(algorithm, alpha, 0.0f);
#else
  ops.append_eltwise(1.0f, algorithm, alpha, 0.0f);
#endif
}

}  // namespace igcnet
