"""Writes the golden files of this folder: numbers that PyTorch computed in float64, which golden.test.ts compares
with this project's own.

    pip install torch==2.13.0 numpy      # any CPU build
    python test/golden/generate.py       # some minutes; on one machine the files are the same at every run

1. The twins of twin.py are held against every row of counts.json (parameters and multiply-adds of the papers'
   networks), so that a twin with a wrong structure writes nothing.
2. <network>.json: a small network with its initial state, ten batches, and what comes out: of the first step the
   logits, the loss, every gradient and the running statistics; then ten steps of SGD (Nesterov, weight decay on
   everything), with the loss of each, the final state, and logits in inference mode.
3. operators.json: single operators, forward and backward (operators.py).

Arrays are {"dtype", "shape", "data"}: base64 of little-endian numbers, row-major, in this project's layouts
(images [N, H, W, C], weights [K, R, S, C/G]). A pixel p (u8) is the input (p - 128) / 64, exact in float32; so
are the initial values. The ReLU makes training discontinuous: a pre-activation within rounding of zero may fall on
either side, and then correct float32 results differ visibly. SEEDS are therefore chosen (by --search) such that
float32 runs of the twin itself, with inputs perturbed by one rounding too, stay near the float64 run; their
deviation is printed and stored as "float32Deviation".
"""

import base64
import copy
import json
import pathlib
import platform
import sys

import numpy as np
import torch
from torch.nn import functional as F

import operators
import twin

FOLDER = pathlib.Path(__file__).parent
VERSIONS = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
BATCH, SIZE, STEPS = 4, 16, 10
SGD = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weightDecay": 1e-4}
IGC = {"depth": 8, "primaryPartitions": 3, "secondaryPartitions": 2, "classes": 10}
REGULAR = {"depth": 8, "width": 3, "classes": 10}
NETWORKS = {
    "plain": ("plain", REGULAR),
    "plain-igc": ("plain_igc", IGC),
    "resnet": ("resnet", REGULAR),
    "resnet-igc": ("resnet_igc", {**IGC, "quirk": True}),
    "resnet-igc-consistent": ("resnet_igc", {**IGC, "quirk": False}),
}
SEEDS = {"plain": 9, "plain-igc": 0, "resnet": 3, "resnet-igc": 0, "resnet-igc-consistent": 2}
MAX_FLOAT32_DEVIATION = 2e-5  # of any tensor, relative to its largest element


def encode(array):
    array = np.asarray(array, order="C")
    dtype = {"float64": "f64", "float32": "f32", "uint8": "u8", "int32": "i32"}[array.dtype.name]
    data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def to_layout(tensor):
    """[K, C/G, R, S] -> [K, R, S, C/G]; other ranks stay."""
    array = tensor.detach().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def count(net):
    """Parameters by kind, and multiply-adds of the convolutions and the linear layer for one 32x32 image."""
    macs = 0

    def add(module, _, output):
        nonlocal macs
        macs += output.numel() * module.weight[0].numel()

    kinds = {"convParameters": 0, "bnParameters": 0, "linearParameters": 0}
    for module in net.modules():
        own = sum(p.numel() for p in module.parameters(recurse=False))
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(add)
            kinds["convParameters" if isinstance(module, torch.nn.Conv2d) else "linearParameters"] += own
        elif isinstance(module, twin.BatchNorm):
            kinds["bnParameters"] += own
    with torch.no_grad():
        net(torch.zeros(1, 3, 32, 32))
    total = sum(p.numel() for p in net.parameters())
    assert total == sum(kinds.values())
    return {"parameters": total, **kinds, "megaMacs": round(macs / 1e6, 2)}


def check_counts():
    rows = json.loads((FOLDER / "counts.json").read_text())
    for row in rows:
        counted = count(twin.build(row["network"], row))
        expected = {key: row[key] for key in counted if key in row}
        assert expected.items() <= counted.items(), f"{row}: counted {counted}"
        options = {key: row[key] for key in row if key not in counted and key != "network"}
        print(f"{row['network']:11} {options} {counted}")
    print(f"{len(rows)} rows of counts.json: equal")


def make_problem(network, options, seed):
    """A network with random parameters (gamma and beta too) and ten batches; every value exact in float32."""
    rng = np.random.default_rng(seed)
    net = twin.build(network, options).double()
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.ndim > 1:
                values = rng.normal(0, np.sqrt(2 / p[0].numel()), p.shape)
            else:
                values = rng.uniform(0.5, 1.5, p.shape) if name.endswith("bn.weight") else rng.normal(0, 0.2, p.shape)
            p.copy_(torch.from_numpy(values.astype(np.float32).astype(np.float64)))
    pixels = rng.integers(0, 256, (STEPS, BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    labels = rng.integers(0, options["classes"], (STEPS, BATCH), dtype=np.int32)
    return net, pixels, labels


def state(net):
    return {name: to_layout(t).copy() for name, t in net.state_dict().items()}


def inference(net, x):
    net.eval()
    with torch.no_grad():
        return net(x).numpy().copy()


def train(net, images, labels):
    """Ten steps; the result maps names to arrays in this project's layouts."""
    out = {"losses": []}
    optimizer = torch.optim.SGD(
        net.parameters(), SGD["lr"], SGD["momentum"], weight_decay=SGD["weightDecay"], nesterov=SGD["nesterov"]
    )
    for step in range(STEPS):
        net.train()
        optimizer.zero_grad()
        logits = net(images[step])
        loss = F.cross_entropy(logits, labels[step])
        loss.backward()
        out["losses"].append(loss.item())
        if step == 0:
            out["logits"] = logits.detach().numpy().copy()
            out["gradients"] = {name: to_layout(p.grad).copy() for name, p in net.named_parameters()}
            out["runningStatistics"] = {k: v for k, v in state(net).items() if "running" in k}
            out["inferenceLogits"] = inference(net, images[0])
        optimizer.step()
    out["losses"] = np.array(out["losses"])
    out["finalState"] = state(net)
    out["finalInferenceLogits"] = inference(net, images[0])
    return out


def deviation(a, b):
    """The largest of max|a - b| / max|b| over all arrays."""
    if isinstance(b, dict):
        return max(deviation(a[key], b[key]) for key in b)
    return float(np.abs(a - b).max() / np.abs(b).max())


def run(network, options, seed):
    """The problem, its float64 results, and how far float32 runs come from them."""
    net, pixels, labels = make_problem(network, options, seed)
    images = (torch.from_numpy(pixels).permute(0, 1, 4, 2, 3).double() - 128) / 64
    targets = torch.from_numpy(labels).long()
    exact = train(copy.deepcopy(net), images, targets)
    worst = 0.0
    for trial in range(40):
        torch.manual_seed(trial)
        single = copy.deepcopy(net).float()
        x = images.float()
        if trial > 0:  # other roundings: each input moved by up to one unit in the last place
            x = x * (1 + (torch.rand_like(x) - 0.5) * 2**-22)
        if trial % 2:
            single = single.to(memory_format=torch.channels_last)
        worst = max(worst, deviation(train(single, x, targets), exact))
    return net, pixels, labels, exact, worst


def encode_all(value):
    if isinstance(value, dict):
        return {key: encode_all(v) for key, v in value.items()}
    return encode(value)


def write(name, content):
    path = FOLDER / f"{name}.json"
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    path.write_text("{\n" + lines + "\n}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def write_network(name):
    network, options = NETWORKS[name]
    net, pixels, labels, exact, worst = run(network, options, SEEDS[name])
    print(f"{name}: float32 deviates from float64 by at most {worst:.2g}, losses {exact['losses'].round(4).tolist()}")
    assert worst < MAX_FLOAT32_DEVIATION, "choose another seed: --search"
    initial = {key: encode(value.astype(np.float32)) for key, value in state(net).items()}
    content = {"versions": VERSIONS, "network": network, "options": options, "seed": SEEDS[name], "sgd": SGD}
    content |= {"float32Deviation": worst, "pixels": encode(pixels), "labels": encode(labels)}
    write(name, {**content, "initialState": initial, **encode_all(exact)})


def search():
    """Prints the float32 deviation of the first twenty seeds of each network."""
    for name, (network, options) in NETWORKS.items():
        ranked = sorted((run(network, options, seed)[-1], seed) for seed in range(20))
        print(name, [f"seed {seed}: {worst:.2g}" for worst, seed in ranked[:6]])


def write_operators():
    def encoded(case):
        inputs = {name: x if x.dtype == np.int32 else x.astype(np.float32) for name, x in case["inputs"].items()}
        return {**case, "inputs": encode_all(inputs), "outputs": encode_all(case["outputs"])}

    write("operators", {"versions": VERSIONS, "cases": [encoded(case) for case in operators.cases()]})


def main():
    torch.set_num_threads(1)
    if "--search" in sys.argv[1:]:
        return search()
    check_counts()
    for name in NETWORKS:
        write_network(name)
    write_operators()


if __name__ == "__main__":
    main()
