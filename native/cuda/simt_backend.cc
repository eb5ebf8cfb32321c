#include "cuda/simt_backend.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"

namespace igcnet::simt {

void throw_label_fault(const LabelFault& fault) {
  throw Error(ErrorCode::kData, "crossEntropy: expected labels from 0 to " + std::to_string(fault.classes - 1) +
                                    " but received " + std::to_string(fault.label) + " at index " +
                                    std::to_string(fault.index));
}

SimtBackend::SimtBackend(std::unique_ptr<Platform> platform, std::string tuning_file)
    : platform_(std::move(platform)), igc_path_(path_asked_for()), tuning_(*platform_, std::move(tuning_file)) {}

SimtBackend::IgcPath SimtBackend::path_asked_for() {
  const char* value = std::getenv("IGCNET_CUDA_IGC");
  const std::string_view wanted = value == nullptr ? "" : value;
  if (wanted.empty() || wanted == "auto") return IgcPath::kAuto;
  if (wanted == "fused") return IgcPath::kFused;
  if (wanted == "cudnn") return IgcPath::kComposed;
  throw Error(ErrorCode::kRange, "IGCNET_CUDA_IGC: expected cudnn, fused or auto but received " + std::string(wanted));
}

void SimtBackend::run_igc_block(const Tuning::Key& key, const Tuning::Way& fused, const Tuning::Way& composed) {
  if (igc_path_ != IgcPath::kAuto) return fused();
  if (tuning_.run(key, fused, composed)) between_.release();
}

BackendInfo SimtBackend::info() const {
  BackendInfo result;
  result.hardware = platform_->description();
  return result;
}

LabelFault* SimtBackend::label_fault() {
  if (fault_ == nullptr) {
    fault_ = static_cast<LabelFault*>(platform_->allocate(sizeof(LabelFault)));
    platform_->clear(fault_, sizeof(LabelFault));
  }
  return fault_;
}

void SimtBackend::copy(const Input& x, const Output& y) {
  if (x.bytes() > 0) platform_->copy(x.data, y.data, x.bytes());
}

}  // namespace igcnet::simt
