// igc_block: the interleaved group convolution (core/igc_block.h). Checked in test/kernels/igc-block.test.ts.
#include "core/igc_block.h"

#include "binding/addon.h"
#include "binding/arguments.h"

namespace igcnet::binding {
namespace {

IgcBlockParams igc_block_params(const Params& p) {
  return {p.integer("primaryPartitions"), p.integer("secondaryPartitions"), p.integer("stride"), p.integer("padding")};
}

// igcBlockForward(x, primaryWeight, secondaryWeight, { primaryPartitions, secondaryPartitions, stride, padding })
// -> { z, y }: z is the output of the primary convolution.
Napi::Value igc_block_forward(const Napi::CallbackInfo& info) {
  const Arguments args(info, "igcBlock");
  const IgcBlockParams p = igc_block_params(args.params(3));
  const Tensor x = args.tensor(0, "x"), wp = args.tensor(1, "primaryWeight"), ws = args.tensor(2, "secondaryWeight");
  args.floating({{"x", &x}, {"primaryWeight", &wp}, {"secondaryWeight", &ws}});
  const Shape output = conv2d_output(igc_block_sizes(args.op(), p, x.shape, wp.shape, ws.shape));
  const Tensor z = Arguments::beside(x, output), y = Arguments::beside(x, output);
  x.device().submit([p, x = x.input(), wp = wp.input(), ws = ws.input(), z = z.output(),
                     y = y.output()](Backend& backend) { backend.igc_block_forward(p, x, wp, ws, z, y); });
  return args.object({{"z", z}, {"y", y}});
}

// igcBlockBackwardInput(dy, primaryWeight, secondaryWeight, { …, shape, needsInput }) -> { dz, dx? }
// shape is that of x; dz, the gradient of z, is what igcBlockBackwardWeight needs; dx is there when needsInput.
Napi::Value igc_block_backward_input(const Napi::CallbackInfo& info) {
  const Arguments args(info, "igcBlock");
  const IgcBlockParams p = igc_block_params(args.params(3));
  const Shape x_shape = args.params(3).shape("shape");
  const bool needs_input = args.params(3).boolean("needsInput");
  const Tensor dy = args.tensor(0, "dy"), wp = args.tensor(1, "primaryWeight"), ws = args.tensor(2, "secondaryWeight");
  args.floating({{"dy", &dy}, {"primaryWeight", &wp}, {"secondaryWeight", &ws}});
  args.shaped({"dy", &dy}, conv2d_output(igc_block_sizes(args.op(), p, x_shape, wp.shape, ws.shape)));
  const Tensor dz = Arguments::beside(dy, dy.shape);
  if (!needs_input) {
    dy.device().submit([p, dy = dy.input(), wp = wp.input(), ws = ws.input(), dz = dz.output(),
                        none = Output{nullptr, dy.dtype, x_shape}](Backend& backend) {
      backend.igc_block_backward_input(p, dy, wp, ws, dz, none);
    });
    return args.object({{"dz", dz}});
  }
  const Tensor dx = Arguments::beside(dy, x_shape);
  dy.device().submit([p, dy = dy.input(), wp = wp.input(), ws = ws.input(), dz = dz.output(),
                      dx = dx.output()](Backend& backend) { backend.igc_block_backward_input(p, dy, wp, ws, dz, dx); });
  return args.object({{"dz", dz}, {"dx", dx}});
}

// igcBlockBackwardWeight(dy, dz, x, z, { …, primaryShape, secondaryShape }) -> { primary, secondary }
Napi::Value igc_block_backward_weight(const Napi::CallbackInfo& info) {
  const Arguments args(info, "igcBlock");
  const Params params = args.params(4);
  const IgcBlockParams p = igc_block_params(params);
  const Shape wp_shape = params.shape("primaryShape"), ws_shape = params.shape("secondaryShape");
  const Tensor dy = args.tensor(0, "dy"), dz = args.tensor(1, "dz"), x = args.tensor(2, "x"), z = args.tensor(3, "z");
  args.floating({{"dy", &dy}, {"dz", &dz}, {"x", &x}, {"z", &z}});
  const Shape output = conv2d_output(igc_block_sizes(args.op(), p, x.shape, wp_shape, ws_shape));
  for (const auto& [name, tensor] : {Arguments::Named{"dy", &dy}, Arguments::Named{"dz", &dz}, {"z", &z}}) {
    args.shaped({name, tensor}, output);
  }
  const Tensor primary_dw = Arguments::beside(x, wp_shape), secondary_dw = Arguments::beside(x, ws_shape);
  x.device().submit([p, dy = dy.input(), dz = dz.input(), x = x.input(), z = z.input(), dwp = primary_dw.output(),
                     dws = secondary_dw.output()](Backend& backend) {
    backend.igc_block_backward_weight(p, dy, dz, x, z, dwp, dws);
  });
  return args.object({{"primary", primary_dw}, {"secondary", secondary_dw}});
}

}  // namespace

void define_igc_block(Napi::Object& exports) {
  define<igc_block_forward>(exports, "igcBlockForward");
  define<igc_block_backward_input>(exports, "igcBlockBackwardInput");
  define<igc_block_backward_weight>(exports, "igcBlockBackwardWeight");
}

}  // namespace igcnet::binding
