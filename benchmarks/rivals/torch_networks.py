"""The networks as a PyTorch user writes them: nn.Conv2d with groups, nn.BatchNorm2d, channel shuffles by view, transpose
and reshape. Names of parameters are those of igcnet. Checked by the comparison of results in main.ts.
"""

from torch import nn
from torch.nn import functional as F


def shuffle(x, factor, channels_last):
    """Reorder(factor): view, transpose, reshape; in the layout that x has, so that no convolution converts."""
    n, c, h, w = x.shape
    if channels_last:
        y = x.permute(0, 2, 3, 1).view(n, h, w, factor, c // factor)
        return y.transpose(3, 4).reshape(n, h, w, c).permute(0, 3, 1, 2)
    return x.view(n, factor, c // factor, h, w).transpose(1, 2).reshape(n, c, h, w)


def conv(cin, cout, kernel, stride=1, groups=1):
    return nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def batch_norm(channels, momentum):
    return nn.BatchNorm2d(channels, eps=2e-5, momentum=1 - momentum)


class IgcConv(nn.Module):
    """Primary convolution, Reorder(L), secondary convolution, Reorder(M)."""

    def __init__(self, cin, cout, stride, L, M, channels_last):
        super().__init__()
        self.L, self.M, self.channels_last = L, M, channels_last
        self.primary = conv(cin, cout, 3, stride, L)
        self.secondary = conv(cout, cout, 1, 1, M)

    def forward(self, x):
        z = shuffle(self.primary(x), self.L, self.channels_last)
        return shuffle(self.secondary(z), self.M, self.channels_last)


class IgcLayer(IgcConv):
    def __init__(self, cin, cout, stride, L, M, channels_last, momentum, relu=True):
        super().__init__(cin, cout, stride, L, M, channels_last)
        self.bn, self.relu = batch_norm(cout, momentum), relu

    def forward(self, x):
        y = self.bn(super().forward(x))
        return F.relu(y, inplace=True) if self.relu else y


class ConvLayer(nn.Module):
    def __init__(self, cin, cout, stride, momentum, relu=True, kernel=3, groups=1):
        super().__init__()
        self.conv, self.bn, self.relu = conv(cin, cout, kernel, stride, groups), batch_norm(cout, momentum), relu

    def forward(self, x):
        y = self.bn(self.conv(x))
        return F.relu(y, inplace=True) if self.relu else y


class Unit(nn.Module):
    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers, self.shortcut = nn.ModuleList(layers), shortcut

    def forward(self, x):
        y = self.layers[1](self.layers[0](x))
        y = y + (x if self.shortcut is None else self.shortcut(x))
        return F.relu(y, inplace=True)


class Network(nn.Module):
    def __init__(self, width, momentum, stages, classes):
        super().__init__()
        self.stem = ConvLayer(3, width, 1, momentum)
        self.stages = nn.ModuleList(nn.Sequential(*blocks) for blocks in stages)
        self.head = nn.Linear(4 * width, classes)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean(dim=(2, 3)))


def build(case, channels_last, classes=10):
    """A network by the names of networks.ts."""
    name, L, M = case["network"], case["primaryPartition"], case["secondaryPartition"]
    is_igc, is_residual = name.endswith("igc"), name.startswith("resnet")
    width, momentum = L * M, 0.9 if is_residual else 0.99

    def layer(cin, cout, stride, relu=True):
        if not is_igc:
            return ConvLayer(cin, cout, stride, momentum, relu)
        # resnet_igc as the authors' script has it: kin/L secondary groups where the width changes.
        groups = (cin if is_residual else cout) // L
        return IgcLayer(cin, cout, stride, L, groups, channels_last, momentum, relu)

    def unit(cin, cout, stride):
        shortcut = None
        if cin != cout:
            shortcut = ConvLayer(cin, cout, stride, momentum, relu=False, kernel=1, groups=L if is_igc else 1)
        return Unit([layer(cin, cout, stride), layer(cout, cout, 1, relu=False)], shortcut)

    per_block = 6 if is_residual else 3
    assert (case["depth"] - 2) % per_block == 0
    stages, cin = [], width
    for s in range(3):
        cout, blocks = width << s, []
        for b in range((case["depth"] - 2) // per_block):
            blocks.append((unit if is_residual else layer)(cin, cout, 2 if s > 0 and b == 0 else 1))
            cin = cout
        stages.append(blocks)
    return Network(width, momentum, stages, classes)
