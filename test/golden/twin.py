"""PyTorch twins of the networks plain, plain_igc, resnet and resnet_igc (Zhang et al. 2017).

Written from the definitions of the paper and of the authors' MXNet scripts, and not from this project's
code: an IGC layer is four operators with explicit permutations, batch norm is spelled out. generate.py
holds the parameter and multiply-add counts of these twins against the table in counts.json.

Module and buffer names are the names of this project's state dictionary (stem.conv.weight, ...).
Layout inside of PyTorch is NCHW, weights [K, C/G, R, S]; generate.py converts.
"""

import torch
from torch import nn
from torch.nn import functional as F


def reorder(x, factor):
    """out[:, q*b + p] = in[:, p*(C/b) + q] for p < b, q < C/b, with b = factor."""
    channels = x.shape[1]
    assert channels % factor == 0
    rows = channels // factor
    source = torch.empty(channels, dtype=torch.long)
    for p in range(factor):
        for q in range(rows):
            source[q * factor + p] = p * rows + q
    return x[:, source]


class BatchNorm(nn.Module):
    """MXNet's batch norm: the authors' eps, running = m*running + (1-m)*batch, the biased variance in both places.

    (torch.nn.BatchNorm2d feeds the unbiased variance into its running average, and its momentum is 1-m.)
    The running variance starts at 1.
    """

    def __init__(self, channels, momentum, epsilon=2e-5):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("runningMean", torch.zeros(channels))
        self.register_buffer("runningVar", torch.ones(channels))

    def forward(self, x):
        mean, var = self.runningMean, self.runningVar
        if self.training:
            mean = x.mean(dim=(0, 2, 3))
            var = ((x - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
            with torch.no_grad():
                self.runningMean.copy_(self.momentum * self.runningMean + (1 - self.momentum) * mean)
                self.runningVar.copy_(self.momentum * self.runningVar + (1 - self.momentum) * var)
        scale = self.weight / torch.sqrt(var + self.epsilon)
        return (x - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]


def conv(cin, cout, kernel, stride=1, groups=1):
    return nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


class RegularLayer(nn.Module):
    """conv3x3 - BN [- ReLU]."""

    def __init__(self, cin, cout, stride, momentum, relu=True):
        super().__init__()
        self.relu = relu
        self.conv = conv(cin, cout, 3, stride)
        self.bn = BatchNorm(cout, momentum)

    def forward(self, x):
        y = self.bn(self.conv(x))
        return F.relu(y) if self.relu else y


class IgcLayer(nn.Module):
    """groupConv3x3(L groups) - Reorder(L) - groupConv1x1(M groups) - Reorder(M) - BN [- ReLU]."""

    def __init__(self, cin, cout, stride, momentum, primary_groups, secondary_groups, relu=True):
        super().__init__()
        self.L, self.M, self.relu = primary_groups, secondary_groups, relu
        self.primary = conv(cin, cout, 3, stride, groups=self.L)
        self.secondary = conv(cout, cout, 1, groups=self.M)
        self.bn = BatchNorm(cout, momentum)

    def forward(self, x):
        y = reorder(self.primary(x), self.L)
        y = reorder(self.secondary(y), self.M)
        y = self.bn(y)
        return F.relu(y) if self.relu else y


class Shortcut(nn.Module):
    """conv1x1 with stride 2 - BN."""

    def __init__(self, cin, cout, groups, momentum):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 1, 2, groups=groups, bias=False)
        self.bn = BatchNorm(cout, momentum)

    def forward(self, x):
        return self.bn(self.conv(x))


class Unit(nn.Module):
    """Two layers and a shortcut; ReLU after the first layer and after the addition."""

    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.layers[1](self.layers[0](x))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Network(nn.Module):
    """Stem - three stages - average over the whole map - linear."""

    def __init__(self, width, momentum, stages, classes):
        super().__init__()
        self.stem = RegularLayer(3, width, 1, momentum)
        self.stages = nn.ModuleList(nn.ModuleList(blocks) for blocks in stages)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = self.stem(x)
        for blocks in self.stages:
            for block in blocks:
                x = block(x)
        return self.head(x.mean(dim=(2, 3)))


def plain(depth, width, classes=10, momentum=0.99):
    """D = 3B + 2; widths c, 2c, 4c; the first layer of stages 1 and 2 has stride 2."""
    return plain_network(depth, width, classes, momentum, RegularLayer)


def plain_igc(depth, L, M, classes=10, momentum=0.99):
    """L stays, M doubles with the width."""

    def layer(cin, cout, stride, momentum):
        return IgcLayer(cin, cout, stride, momentum, L, cout // L)

    return plain_network(depth, L * M, classes, momentum, layer)


def plain_network(depth, width, classes, momentum, layer):
    assert (depth - 2) % 3 == 0
    stages, cin = [], width
    for s in range(3):
        cout, blocks = width * 2**s, []
        for b in range((depth - 2) // 3):
            blocks.append(layer(cin, cout, 2 if s > 0 and b == 0 else 1, momentum))
            cin = cout
        stages.append(blocks)
    return Network(width, momentum, stages, classes)


def units_per_stage(depth):
    """(D-2)/6 each; other depths by the authors' integer division."""
    used, units = 2, []
    for i in range(3):
        n = (depth - used) // (2 * (3 - i))
        units.append(n)
        used += 2 * n
    return units


def resnet(depth, width, classes=10, momentum=0.9):
    def layer(cin, cout, stride, relu):
        return RegularLayer(cin, cout, stride, momentum, relu)

    return residual_network(depth, width, classes, momentum, layer, 1)


def resnet_igc(depth, L, M, classes=10, momentum=0.9, quirk=True):
    """With `quirk` (the authors' script) a layer that widens has kin/L secondary groups, else kout/L."""

    def layer(cin, cout, stride, relu):
        return IgcLayer(cin, cout, stride, momentum, L, (cin if quirk else cout) // L, relu)

    return residual_network(depth, L * M, classes, momentum, layer, L)


def residual_network(depth, width, classes, momentum, layer, shortcut_groups):
    stages, cin = [], width
    for s, units in enumerate(units_per_stage(depth)):
        cout, blocks = width * 2**s, []
        for _ in range(units):
            stride = 1 if cin == cout else 2
            shortcut = None if cin == cout else Shortcut(cin, cout, shortcut_groups, momentum)
            blocks.append(Unit([layer(cin, cout, stride, True), layer(cout, cout, 1, False)], shortcut))
            cin = cout
        stages.append(blocks)
    return Network(width, momentum, stages, classes)


def build(network, options):
    """A network by its name and the option names of counts.json and of the golden files."""
    depth, classes = options["depth"], options["classes"]
    if network == "plain":
        return plain(depth, options["width"], classes)
    if network == "resnet":
        return resnet(depth, options["width"], classes)
    L, M = options["primaryPartitions"], options["secondaryPartitions"]
    if network == "plain_igc":
        return plain_igc(depth, L, M, classes)
    return resnet_igc(depth, L, M, classes, quirk=options["quirk"])
