// The sizes of a tensor: up to kMaxRank dimensions, row-major, contiguous. A dimension may be 0.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace igcnet {

inline constexpr int kMaxRank = 8;
// No tensor may have more elements than a JavaScript number counts exactly (2^53), so that sizes never overflow.
inline constexpr int64_t kMaxElements = int64_t{1} << 53;

class Shape {
 public:
  Shape() = default;
  // Throws ShapeError for a rank over kMaxRank, a negative size, or more than kMaxElements elements.
  Shape(std::initializer_list<int64_t> dims);
  Shape(const int64_t* dims, int rank);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  int64_t elements() const;
  bool operator==(const Shape& other) const;
  // "[128, 32, 32, 50]"
  std::string to_string() const;

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace igcnet
