"""Writes a network of torch_networks.py in inference mode as an ONNX file, for onnxruntime-node.

    python export_onnx.py CASE.json OUT.onnx

Needs the packages onnx and onnxscript. Checked by main.ts, which compares the results of all contestants.
"""

import json
import sys
import warnings

import torch

from torch_networks import build
from torch_values import set_weights

case_path, out = sys.argv[1:]
with open(case_path) as file:
    case = json.load(file)
model = build(case["network"], channels_last=False)
set_weights(model)
images = torch.zeros(case["batchSize"], 3, 32, 32)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.onnx.export(model.eval(), (images,), out, input_names=["images"], output_names=["logits"], external_data=False)
