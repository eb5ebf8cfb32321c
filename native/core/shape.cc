#include "core/shape.h"

#include "core/error.h"

namespace igcnet {

Shape::Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), static_cast<int>(dims.size())) {}

Shape::Shape(const int64_t* dims, int rank) : rank_(rank) {
  if (rank < 0 || rank > kMaxRank) {
    throw Error(ErrorCode::kShape, "shape: expected at most " + std::to_string(kMaxRank) + " dimensions but received " +
                                       std::to_string(rank));
  }
  int64_t product = 1;  // of the sizes over 0, so that a 0 hides no overflow
  for (int i = 0; i < rank; ++i) {
    const int64_t dim = dims[i];
    dims_[static_cast<size_t>(i)] = dim;
    if (dim < 0) {
      throw Error(ErrorCode::kShape,
                  "shape: expected sizes of 0 or more but received " + std::to_string(dim) + " in " + to_string());
    }
    if (dim > 0 && product > kMaxElements / dim) {
      throw Error(ErrorCode::kShape, "shape: expected at most 2^53 elements but received more");
    }
    if (dim > 0) product *= dim;
  }
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

bool Shape::operator==(const Shape& other) const {
  if (rank_ != other.rank_) return false;
  for (int i = 0; i < rank_; ++i) {
    if ((*this)[i] != other[i]) return false;
  }
  return true;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string((*this)[i]);
  }
  return text + "]";
}

}  // namespace igcnet
