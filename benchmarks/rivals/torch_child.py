"""A PyTorch contestant: reads one JSON command a line, answers with one JSON line. See contestant.ts for the commands.

    python torch_child.py --variant torch|torch-cl|torch-compile --threads N

Checked by main.ts, which compares the results of all contestants before it times them.
"""

import argparse
import json
import os
import re
import sys
import time

import torch
from torch.nn import functional as F

from torch_networks import IgcConv, build
from torch_values import from_nhwc, labels, probe, set_weights, values

CLASSES = 10
DEVICE = os.environ.get("IGCNET_BENCH_DEVICE") or "cpu"
PRECISION = os.environ.get("IGCNET_BENCH_PRECISION") or "f32"
HALF = {"f32": None, "bf16": torch.bfloat16, "f16": torch.float16}[PRECISION]
CHUNK = 4  # backward passes timed together, each of a forward pass of its own


def peak_memory():
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status.read())[1])


def wait():
    if DEVICE != "cpu":
        torch.cuda.synchronize()


def mixed():
    """Convolutions in the precision asked for, parameters in f32: as igcnet does."""
    return torch.autocast(DEVICE, dtype=HALF, enabled=HALF is not None)


def timed(work, count):
    wait()
    start = time.perf_counter()
    for _ in range(count):
        work()
    wait()
    return 1000 * (time.perf_counter() - start)


class Contestant:
    def __init__(self, variant):
        self.channels_last, self.compiles = variant == "torch-cl", variant == "torch-compile"

    def place(self, x):
        x = x.to(DEVICE)
        return x.contiguous(memory_format=torch.channels_last) if self.channels_last else x

    def finish(self, model):
        """In the layout of this contestant, and compiled if that is its way."""
        model = model.to(DEVICE)
        if self.channels_last:
            model = model.to(memory_format=torch.channels_last)
        if not self.compiles:
            return model
        return torch.compile(model) if DEVICE == "cpu" else torch.compile(model, mode="max-autotune")

    def images(self, count):
        return self.place(from_nhwc(values((count, 32, 32, 3), 1)))

    def train(self, case):
        raw = build(case["network"], self.channels_last)
        set_weights(raw)
        model = self.finish(raw.train())
        sgd = torch.optim.SGD(raw.parameters(), 1e-6, momentum=0.9, nesterov=True, weight_decay=1e-4, fused=True)
        x, y = self.images(case["batchSize"]), labels(case["batchSize"], CLASSES).to(DEVICE)

        def step():
            with mixed():
                loss = F.cross_entropy(model(x), y)
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            return loss.item()

        losses = [step() for _ in range(3)]
        return (lambda count: timed(step, count)), {"losses": losses}

    def infer(self, case):
        torch._inductor.config.freezing = True  # constant weights: batch norm folds into them
        raw = build(case["network"], self.channels_last)
        set_weights(raw)
        model, x = self.finish(raw.eval()), self.images(case["batchSize"])

        def forward():
            with torch.no_grad(), mixed():
                return model(x)

        return (lambda count: timed(forward, count)), {"logits": probe(forward())}

    def block(self, case):
        n, size, L, M = (case["block"][name] for name in ("N", "size", "L", "M"))
        c = L * M
        block = IgcConv(c, c, 1, L, M, self.channels_last)
        with torch.no_grad():
            block.primary.weight.copy_(from_nhwc(values((c, 3, 3, M), 2)))
            block.secondary.weight.copy_(from_nhwc(values((c, 1, 1, L), 3)))
        finished = self.finish(block)

        def run(x):
            with mixed():
                return finished(x)

        x = self.place(from_nhwc(values((n, size, size, c), 1))).requires_grad_()
        dy = self.place(from_nhwc(values((n, size, size, c), 4))).to(HALF or torch.float32)
        inputs = [x, block.primary.weight, block.secondary.weight]

        def backward(count):
            total = 0.0
            for start in range(0, count, CHUNK):
                results = [run(x) for _ in range(min(CHUNK, count - start))]
                total += timed(lambda: torch.autograd.grad(results.pop(), inputs, dy), len(results))
            return total

        y = run(x)
        if case["kind"] == "block-forward":
            return (lambda count: timed(lambda: run(x), count)), {"y": probe(y)}
        gradients = torch.autograd.grad(y, inputs, dy)
        return backward, dict(zip(("dx", "dPrimary", "dSecondary"), map(probe, gradients)))

    def prepare(self, case):
        kind = case["kind"]
        if kind.startswith("block"):
            return self.block(case)
        return self.train(case) if kind in ("train", "memory") else self.infer(case)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if DEVICE != "cpu":
        tf32 = os.environ.get("IGCNET_TF32") == "1"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True
    replies = os.fdopen(os.dup(1), "w")  # what libraries print goes to standard error
    os.dup2(2, 1)
    contestant, run, baseline = Contestant(options.variant), None, peak_memory()
    for line in sys.stdin:
        request = json.loads(line)
        command = request["command"]
        try:
            if command == "prepare":
                run = None
                torch._dynamo.reset()
                run, results = contestant.prepare(request["case"])
                reply = {"results": results}
            elif command == "window":
                reply = {"ms": run(request["count"])}
            elif command == "memory":
                reply = {"peak": peak_memory(), "baseline": baseline}
            else:
                reply = {"version": torch.__version__.split("+")[0]}
        except Exception as error:  # the other side reports it
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


main()
