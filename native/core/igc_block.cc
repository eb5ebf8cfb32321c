// The shape rule of igc_block. Checked in test/unit with its error texts.
#include "core/igc_block.h"

#include <string>

#include "core/error.h"
#include "core/window.h"

namespace igcnet {

Conv2dSizes igc_block_sizes(const char* op, const IgcBlockParams& params, const Shape& x, const Shape& primary_weight,
                            const Shape& secondary_weight) {
  const auto fail = [op](const std::string& text) { throw Error(ErrorCode::kShape, std::string(op) + ": " + text); };
  const Shape &wp = primary_weight, &ws = secondary_weight;
  check_image(op, "x", x);
  check_parameter(op, "primaryPartitions", params.primary_partitions, 1);
  check_parameter(op, "secondaryPartitions", params.secondary_partitions, 1);
  const int64_t L = params.primary_partitions, M = params.secondary_partitions, C = x[3];
  const std::string l_text = std::to_string(L), m_text = std::to_string(M), c_text = std::to_string(C);
  if (C % L != 0) {
    fail("expected channels divisible by " + l_text + " (primary partitions) but received " + c_text + " in x " +
         x.to_string());
  }
  if (wp.rank() != 4 || wp[0] < 1 || wp[1] < 1 || wp[2] < 1 || wp[3] != C / L) {
    fail("expected primaryWeight [K, R, S, " + std::to_string(C / L) + "] (C / primary partitions = " + c_text + " / " +
         l_text + ") but received primaryWeight " + wp.to_string());
  }
  const int64_t K = wp[0];
  const std::string k_text = std::to_string(K);
  if (K % L != 0) {
    fail("expected out-channels divisible by " + l_text + " (primary partitions) but received " + k_text +
         " in primaryWeight " + wp.to_string());
  }
  if (K % M != 0) {
    fail("expected out-channels divisible by " + m_text + " (secondary partitions) but received " + k_text +
         " in primaryWeight " + wp.to_string());
  }
  if (ws.rank() != 4 || ws[0] != K || ws[1] != 1 || ws[2] != 1 || ws[3] != K / M) {
    fail("expected secondaryWeight " + sizes_text({K, 1, 1, K / M}) + " (K / secondary partitions = " + k_text + " / " +
         m_text + ") but received secondaryWeight " + ws.to_string());
  }
  return conv2d_sizes(op, {params.stride, params.padding, L}, x, wp);
}

}  // namespace igcnet
