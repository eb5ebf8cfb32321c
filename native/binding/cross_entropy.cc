// cross_entropy: the loss (core/cross_entropy.h). Checked in test/kernels/cross-entropy.test.ts.
#include "core/cross_entropy.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

CrossEntropyParams cross_entropy_params(const Params& p) {
  const CrossEntropyParams result = {p.finite("labelSmoothing")};
  if (result.label_smoothing < 0 || result.label_smoothing > 1) {
    throw Error(ErrorCode::kRange, "crossEntropy: expected a labelSmoothing from 0 to 1 but received " +
                                       std::to_string(result.label_smoothing));
  }
  return result;
}

void check_labels(const Arguments& args, const Tensor& logits, const Tensor& labels) {
  args.floating({{"logits", &logits}});
  args.same_device({{"logits", &logits}, {"labels", &labels}});
  args.ranked({"logits", &logits}, 2, "[N, K]");
  if (logits.shape[1] < 1) {
    throw Error(ErrorCode::kShape,
                "crossEntropy: expected at least one class but received logits " + logits.shape.to_string());
  }
  if (labels.dtype != DType::kI32) {
    throw Error(ErrorCode::kDType,
                "crossEntropy: expected labels of dtype i32 but received " + std::string(name_of(labels.dtype)));
  }
  args.shaped({"labels", &labels}, {logits.shape[0]});
}

// crossEntropyForward(logits, labels, { labelSmoothing }) -> { loss, probabilities }
Napi::Value cross_entropy_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "crossEntropy");
  const CrossEntropyParams p = cross_entropy_params(args.params(2));
  const Tensor logits = args.tensor(0, "logits"), labels = args.tensor(1, "labels");
  check_labels(args, logits, labels);
  const Tensor loss = Arguments::beside(logits, {}), probabilities = Arguments::beside(logits, logits.shape);
  logits.device().submit([p, logits = logits.input(), labels = labels.input(), loss = loss.output(),
                          probabilities = probabilities.output()](Backend& backend) {
    backend.cross_entropy_forward(p, logits, labels, loss, probabilities);
  });
  return args.object({{"loss", loss}, {"probabilities", probabilities}});
}

// crossEntropyBackwardInput(dloss, probabilities, labels, { labelSmoothing })
Napi::Value cross_entropy_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "crossEntropy");
  const CrossEntropyParams p = cross_entropy_params(args.params(3));
  const Tensor dloss = args.tensor(0, "dloss"), probabilities = args.tensor(1, "probabilities"),
               labels = args.tensor(2, "labels");
  check_labels(args, probabilities, labels);
  args.floating({{"dloss", &dloss}, {"probabilities", &probabilities}});
  args.shaped({"dloss", &dloss}, {});
  const Tensor dlogits = Arguments::beside(probabilities, probabilities.shape);
  dloss.device().submit([p, dloss = dloss.input(), probabilities = probabilities.input(), labels = labels.input(),
                         dlogits = dlogits.output()](Backend& backend) {
    backend.cross_entropy_backward_input(p, dloss, probabilities, labels, dlogits);
  });
  return args.handle(dlogits);
}

}  // namespace

void define_cross_entropy(Napi::Object& exports) {
  define<cross_entropy_forward>(exports, "crossEntropyForward");
  define<cross_entropy_backward_input>(exports, "crossEntropyBackwardInput");
}

}  // namespace igcnet::binding
