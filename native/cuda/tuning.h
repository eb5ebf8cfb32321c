// Which of two ways of computing an op is the faster one on this GPU: measured when a shape first comes, kept in a
// file. The file belongs to one GPU, driver, libraries and version of the kernels; what is in it for others is ignored.
// It is only a memory of measurements: when it cannot be read or written, or is damaged, they are made again. Checked
// in test/cuda/simt-tuning.test.ts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace igcnet::simt {

class Platform;

// Whether IGCNET_TF32 allows TF32: 1, not 0 or nothing. Throws RangeError for others.
bool tf32_asked_for();

class Tuning {
 public:
  // What makes two calls alike, such as direction, dtype and sizes.
  using Key = std::vector<int64_t>;
  using Way = std::function<void()>;

  // `file`: empty: nothing is measured, and the first way taken.
  Tuning(Platform& platform, std::string file);

  // Runs one of the two ways, which write the same results; the first time both, several times. Throws UnsupportedError
  // for a new key while a graph is captured, when nothing can be measured. Gives whether the second was measured and
  // not taken: what it alone needs can be given up.
  bool run(const Key& key, const Way& first, const Way& second);

 private:
  void load();
  void store() const noexcept;
  bool second_is_faster(const Way& first, const Way& second) const;

  Platform& platform_;
  std::string file_;
  std::string machine_;
  std::map<Key, bool> choices_;  // whether the second way is faster
};

// The file that IGCNET_CUDA_TUNING names ("none": empty), or that of the user's cache folder; empty without one.
std::string tuning_file();

}  // namespace igcnet::simt
