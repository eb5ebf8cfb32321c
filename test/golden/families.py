"""Writes families.json: one small network of each further family, computed by PyTorch in float64.

    python test/golden/families.py       # a few seconds; uses twin.py

Nothing random: parameters, images and labels come from the formula of `noise`, which families.test.ts has, too. Stored
are the logits, the loss, the logits in inference mode afterwards, and of every gradient three weighted sums (weights from
`noise`) and the sum of absolute values, so that the file stays small. The twins are written from the papers' and the
authors' definitions, and not from this project's code.
"""

import json
import math
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import twin

BATCH, CLASSES, MOMENTUM = 4, 5, 0.9


def noise(count, stream):
    """Numbers in [-0.5, 0.5): (31 i^2 + 7919 i + 104729 stream mod 65521) / 65521 - 0.5, exact in any double."""
    i = np.arange(count, dtype=np.int64)
    return ((31 * i * i + 7919 * i + 104729 * stream) % 65521) / 65521.0 - 0.5


class Block(nn.Module):
    """conv - BN - activation."""

    def __init__(self, cin, cout, kernel, stride=1, groups=1, activation=F.relu, epsilon=2e-5):
        super().__init__()
        self.conv = twin.conv(cin, cout, kernel, stride, groups)
        self.bn = twin.BatchNorm(cout, MOMENTUM, epsilon)
        self.activation = activation

    def forward(self, x):
        return self.activation(self.bn(self.conv(x)))


def same(x):
    return x


class SumFusion(nn.Module):
    """groupConv3x3(L) - sum over the L partitions, given to each of them - BN - ReLU."""

    def __init__(self, cin, cout, stride, momentum, L):
        super().__init__()
        self.L = L
        self.primary = twin.conv(cin, cout, 3, stride, groups=L)
        self.bn = twin.BatchNorm(cout, momentum)

    def forward(self, x):
        z = self.primary(x)
        n, c, h, w = z.shape
        total = z.view(n, self.L, c // self.L, h, w).sum(1)
        return F.relu(self.bn(total.repeat(1, self.L, 1, 1)))


class Pointwise(nn.Module):
    """ceil(log_K cout) 1x1 convolutions in groups of K with ChannelShuffle(C/K) between them; BN - ReLU."""

    def __init__(self, cin, cout, K):
        super().__init__()
        depth, reach = 1, K
        while reach < cout:
            depth, reach = depth + 1, reach * K
        layers = [twin.conv(cin if i == 0 else cout, cout, 1, groups=(cin if i == 0 else cout) // K) for i in range(depth)]
        last = Block(cin if depth == 1 else cout, cout, 1, groups=(cin if depth == 1 else cout) // K)
        self.layers = nn.ModuleList([*layers[:-1], last])
        self.K = K

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else twin.reorder(x, x.shape[1] // self.K))
        return x


class Igcv2(nn.Module):
    def __init__(self, cin, cout, stride, _momentum, K):
        super().__init__()
        self.spatial = twin.conv(cin, cout, 3, stride, groups=cin)
        self.pointwise = Pointwise(cout, cout, K)

    def forward(self, x):
        return self.pointwise(self.spatial(x))


class Separable(nn.Module):
    def __init__(self, cin, cout, stride, K):
        super().__init__()
        self.depthwise = Block(cin, cin, 3, stride, cin)
        self.pointwise = Pointwise(cin, cout, K)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class Igcv3(nn.Module):
    def __init__(self, cin, cout, expansion, stride, residual):
        super().__init__()
        inner = cin * expansion
        self.expand = Block(cin, inner, 1, groups=2, activation=same, epsilon=1e-5)
        self.spatial = Block(inner, inner, 3, stride, inner, F.relu6, 1e-5)
        self.project = Block(inner, cout, 1, groups=2, activation=same, epsilon=1e-5)
        self.residual = residual

    def forward(self, x):
        y = self.project(self.spatial(twin.reorder(self.expand(x), 2)))
        y = twin.reorder(y, y.shape[1] // 2)
        return x + y if self.residual else y


class Network(nn.Module):
    def __init__(self, stem, stages, features, pool=same, last=None):
        super().__init__()
        self.stem, self.pool, self.last = stem, pool, last
        flat = isinstance(stages[0], nn.Module)
        self.stages = nn.ModuleList(stages if flat else [nn.ModuleList(stage) for stage in stages])
        self.head = nn.Linear(features, CLASSES)

    def forward(self, x):
        x = self.pool(self.stem(x))
        for stage in self.stages:
            for block in stage if isinstance(stage, nn.ModuleList) else [stage]:
                x = block(x)
        x = x if self.last is None else self.last(x)
        return self.head(x.mean(dim=(2, 3)))


def imagenet(stem, stage, layer, groups):
    """The 18-layer frame; layer(s, cin, cout, stride, relu), groups(s) of the projections."""
    stages, cin = [], stem
    for s in range(4):
        cout, units = stage * 2**s, []
        for u in range(2):
            stride = 2 if s > 0 and u == 0 else 1
            shortcut = None if cin == cout else Block(cin, cout, 1, stride, groups(s), same)
            units.append(twin.Unit([layer(s, cin, cout, stride, True), layer(s, cout, cout, 1, False)], shortcut))
            cin = cout
        stages.append(units)
    return Network(Block(3, stem, 7, 2), stages, 8 * stage, lambda x: F.max_pool2d(x, 3, 2, 1))


def igc_imagenet(L, M, doubles_l):
    stem = L * M
    groups = (lambda s: L * 2**s) if doubles_l else (lambda s: L)

    def layer(s, cin, cout, stride, relu):
        return twin.IgcLayer(cin, cout, stride, MOMENTUM, groups(s), cout // groups(s), relu)

    return imagenet(stem, 2 * stem if doubles_l else stem, layer, groups)


def mobilenet(multiplier, K):
    def wide(c):
        return max(K, int(c * multiplier / 8 + 0.5) * 8)

    rows = [(64, 1), (128, 1), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    cin, blocks = wide(32), []
    for channels, stride in rows:
        blocks.append(Separable(cin, wide(channels), stride, K))
        cin = wide(channels)
    return Network(Block(3, wide(32), 3), blocks, cin)


def igcv3(multiplier):
    def wide(c):
        c = max(1, int(c * multiplier + 0.5))
        return c + c % 2

    rows = [(1, 16, 1, 1), (6, 24, 4, 1), (6, 32, 6, 2), (6, 64, 8, 2), (6, 96, 6, 1), (6, 160, 6, 2), (6, 320, 1, 1)]
    cin, stages = wide(32), []
    for expansion, channels, blocks, stride in rows:
        stage = []
        for b in range(blocks):
            stage.append(Igcv3(cin, wide(channels), expansion, stride if b == 0 else 1, b > 0))
            cin = wide(channels)
        stages.append(stage)
    last = Block(cin, 1280, 1, activation=F.relu6, epsilon=1e-5)
    return Network(Block(3, wide(32), 3, activation=F.relu6, epsilon=1e-5), stages, 1280, last=last)


def plain(depth, width, layer):
    return twin.plain_network(depth, width, CLASSES, MOMENTUM, layer)


NETWORKS = [
    ("sumfusion", {"depth": 8, "primaryPartitions": 2, "secondaryPartitions": 3}, 16,
     lambda: plain(8, 6, lambda i, o, s, m: SumFusion(i, o, s, m, 2))),
    ("xception", {"depth": 8, "width": 6}, 16,
     lambda: plain(8, 6, lambda i, o, s, m: twin.IgcLayer(i, o, s, m, i, 1))),
    ("igcv2", {"depth": 8, "width": 8, "groupChannels": 4}, 16,
     lambda: plain(8, 8, lambda i, o, s, m: Igcv2(i, o, s, m, 4))),
    ("resnet_imgnet_d18", {"primaryPartitions": 3}, 64,
     lambda: imagenet(3, 3, lambda s, i, o, t, r: twin.RegularLayer(i, o, t, MOMENTUM, r), lambda s: 1)),
    ("resnet_igc_imgnet_d18", {"primaryPartitions": 2, "secondaryPartitions": 1, "growth": "L"}, 64,
     lambda: igc_imagenet(2, 1, True)),
    ("resnet_igc_imgnet_d18", {"primaryPartitions": 2, "secondaryPartitions": 2, "growth": "M"}, 64,
     lambda: igc_imagenet(2, 2, False)),
    ("igcv2_mobilenet", {"multiplier": 0.25, "groupChannels": 4, "frame": "cifar"}, 16, lambda: mobilenet(0.25, 4)),
    ("igcv3_d", {"multiplier": 0.125, "permutations": 2, "frame": "cifar"}, 16, lambda: igcv3(0.125)),
]


def fill(net):
    """Every parameter from the formula; the stream is its place in the sorted names, the order this project's layout."""
    with torch.no_grad():
        for stream, (name, p) in enumerate(sorted(net.named_parameters())):
            values = noise(p.numel(), stream)
            if p.ndim > 1:
                values = values * math.sqrt(24 / p[0].numel())
            else:
                values = 1 + values if name.endswith("bn.weight") else 0.4 * values
            values = values.astype(np.float32).astype(np.float64)
            if p.ndim == 4:
                k, c, r, s = p.shape
                values = values.reshape(k, r, s, c).transpose(0, 3, 1, 2)
            p.copy_(torch.from_numpy(np.ascontiguousarray(values).reshape(p.shape)))


def summed(gradient):
    array = gradient.numpy()
    flat = (array.transpose(0, 2, 3, 1) if array.ndim == 4 else array).ravel()
    return [*(float((flat * noise(flat.size, 1000 + j)).sum()) for j in range(3)), float(np.abs(flat).sum())]


def compute(name, options, edge, build):
    net = build().double().train()
    fill(net)
    pixels = np.float32(4 * noise(BATCH * edge * edge * 3, 2000)).astype(np.float64).reshape(BATCH, edge, edge, 3)
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
    logits = net(x)
    loss = F.cross_entropy(logits, torch.arange(BATCH) % CLASSES)
    loss.backward()
    net.eval()
    with torch.no_grad():
        inference = net(x)
    return {
        "network": name,
        "options": options,
        "edge": edge,
        "logits": logits.detach().ravel().tolist(),
        "loss": loss.item(),
        "inference": inference.ravel().tolist(),
        "gradients": {key: summed(p.grad) for key, p in sorted(net.named_parameters())},
    }


def main():
    torch.set_num_threads(1)
    rows = [compute(*network) for network in NETWORKS]
    for row in rows:
        print(row["network"], row["options"], "loss", round(row["loss"], 4), len(row["gradients"]), "gradients")
    path = pathlib.Path(__file__).parent / "families.json"
    lines = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"torch": "{torch.__version__}", "networks": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
