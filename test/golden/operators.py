"""Single operators, for generate.py: what PyTorch gives in float64, forward and backward, on small inputs.

A case is {"op", "params", "inputs", "outputs"}; params have the names of this project's native functions, arrays its
layouts. The gradient that arrives at the output is the input "dy".
"""

import numpy as np
import torch
from torch.nn import functional as F

import twin


def normal(rng, *shape):
    """Exact in float32, as all inputs are."""
    return torch.from_numpy(rng.normal(0, 1, shape).astype(np.float32).astype(np.float64))


def nhwc(tensor):
    """[N, C, H, W] to [N, H, W, C], also [K, C/G, R, S] to [K, R, S, C/G]; other ranks stay."""
    array = tensor.detach().numpy()
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def case(op, params, inputs, forward, dy, extra=None):
    """Runs forward(**inputs) and its backward; gradients are named "d" and the input's name."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    y = forward(**leaves)
    dy = dy(y)
    y.backward(dy)
    outputs = {"y": nhwc(y)} | {f"d{name}": nhwc(leaf.grad) for name, leaf in leaves.items()}
    stored = {name: nhwc(value) for name, value in inputs.items()} | {"dy": nhwc(dy)}
    for name, value in (extra or {}).items():
        (outputs if name.startswith("new") else stored)[name] = value
    return {"op": op, "params": params, "inputs": stored, "outputs": outputs}


def conv2d_cases(rng):
    """N, C, H, W, K, R, S, stride, padding, groups."""
    shapes = [
        (2, 3, 5, 6, 4, 3, 3, 1, 1, 1),
        (1, 6, 7, 5, 12, 3, 3, 2, 1, 3),
        (2, 4, 4, 4, 4, 1, 1, 2, 0, 2),
        (1, 4, 5, 4, 6, 2, 5, 1, 2, 2),
        (1, 2, 9, 8, 2, 7, 7, 3, 3, 1),
        (1, 24, 3, 3, 24, 3, 3, 2, 1, 24),
        (2, 5, 3, 2, 5, 1, 1, 1, 2, 5),
        (1, 6, 8, 9, 3, 3, 3, 3, 0, 3),
    ]
    for N, C, H, W, K, R, S, stride, padding, groups in shapes:
        yield case(
            "conv2d",
            {"stride": stride, "padding": padding, "groups": groups},
            {"x": normal(rng, N, C, H, W), "w": normal(rng, K, C // groups, R, S)},
            lambda x, w: F.conv2d(x, w, stride=stride, padding=padding, groups=groups),
            lambda y: normal(rng, *y.shape),
        )


def igc_block_cases(rng):
    """C, K, L, M, stride; the last two are not K = L*M."""
    for C, K, L, M, stride in [(6, 6, 3, 2, 1), (8, 8, 2, 4, 2), (5, 5, 5, 1, 1), (6, 12, 3, 2, 2), (8, 8, 4, 4, 1)]:

        def forward(x, primary, secondary):
            z = F.conv2d(x, primary, stride=stride, padding=1, groups=L)
            return twin.reorder(F.conv2d(twin.reorder(z, L), secondary, groups=M), M)

        yield case(
            "igcBlock",
            {"primaryPartitions": L, "secondaryPartitions": M, "stride": stride, "padding": 1},
            {
                "x": normal(rng, 2, C, 4, 3),
                "primary": normal(rng, K, C // L, 3, 3),
                "secondary": normal(rng, K, K // M, 1, 1),
            },
            forward,
            lambda y: normal(rng, *y.shape),
        )


def pool2d_cases(rng):
    for kernel, stride, padding in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2), (1, 2, 0)]:
        params = {"kernel": kernel, "stride": stride, "padding": padding}
        for op, pool in [("avgPool2d", F.avg_pool2d), ("maxPool2d", F.max_pool2d)]:
            x = normal(rng, 1, 3, 7, 6)
            # Few different values: most windows have several maxima.
            x = x.round() if op == "maxPool2d" else x
            yield case(op, params, {"x": x}, lambda x: pool(x, kernel, stride, padding), lambda y: normal(rng, *y.shape))
    yield case(
        "globalAvgPool2d", {}, {"x": normal(rng, 2, 3, 4, 5)}, lambda x: x.mean((2, 3)), lambda y: normal(rng, *y.shape)
    )


def batch_norm2d_cases(rng):
    for training, momentum, epsilon in [(True, 0.9, 2e-5), (True, 0.99, 1e-3), (False, 0.9, 2e-5)]:
        x = (2 * normal(rng, 3, 4, 3, 2) + 1).float().double()
        old_mean, old_var = normal(rng, 4), (normal(rng, 4).abs() + 0.5).float().double()
        mean, var = old_mean.clone(), old_var.clone()
        if training:
            mean = momentum * old_mean + (1 - momentum) * x.mean((0, 2, 3))
            var = momentum * old_var + (1 - momentum) * x.var((0, 2, 3), unbiased=False)
        statistics = {"runningMean": old_mean, "runningVar": old_var, "newRunningMean": mean, "newRunningVar": var}
        yield case(
            "batchNorm2d",
            {"training": training, "momentum": momentum, "epsilon": epsilon},
            {"x": x, "gamma": normal(rng, 4), "beta": normal(rng, 4)},
            lambda x, gamma, beta: F.batch_norm(
                x, old_mean.clone(), old_var.clone(), gamma, beta, training=training, eps=epsilon
            ),
            lambda y: normal(rng, *y.shape),
            {name: value.numpy() for name, value in statistics.items()},
        )


def small_cases(rng):
    yield case("relu", {}, {"x": normal(rng, 40)}, lambda x: F.relu(x), lambda y: normal(rng, *y.shape))
    inputs = {"x": normal(rng, 4, 5), "w": normal(rng, 3, 5), "b": normal(rng, 3)}
    yield case("linear", {}, inputs, lambda x, w, b: F.linear(x, w, b), lambda y: normal(rng, *y.shape))
    inputs = {"x": 4 * normal(rng, 4, 7)}
    yield case("softmax", {}, inputs, lambda x: F.softmax(x, -1), lambda y: normal(rng, *y.shape))


def relu6_cases(rng):
    yield case("relu6", {}, {"x": 4 * normal(rng, 40)}, lambda x: F.relu6(x), lambda y: normal(rng, *y.shape))


def cross_entropy_cases(rng):
    for classes, smoothing in [(10, 0.0), (10, 0.1), (100, 0.1), (2, 1.0)]:
        labels = rng.integers(0, classes, 5, dtype=np.int32)
        target = torch.from_numpy(labels).long()
        yield case(
            "crossEntropy",
            {"labelSmoothing": smoothing},
            {"logits": 4 * normal(rng, 5, classes)},
            lambda logits: F.cross_entropy(logits, target, label_smoothing=smoothing),
            lambda y: torch.tensor(1.5, dtype=torch.float64),
            {"labels": labels},
        )


def sgd_cases(rng):
    """Three steps on one parameter; the gradients are the rows of "gradients"."""
    for lr, momentum, weight_decay, nesterov in [
        (0.1, 0.0, 0.0, False),
        (0.1, 0.0, 0.01, False),
        (0.2, 0.9, 0.01, False),
        (0.2, 0.9, 0.01, True),
    ]:
        w = normal(rng, 6).requires_grad_()
        before, gradients = w.detach().numpy().copy(), normal(rng, 3, 6)
        optimizer = torch.optim.SGD([w], lr, momentum, weight_decay=weight_decay, nesterov=nesterov)
        for gradient in gradients:
            w.grad = gradient.clone()
            optimizer.step()
        yield {
            "op": "sgdStep",
            "params": {"lr": lr, "momentum": momentum, "weightDecay": weight_decay, "nesterov": nesterov},
            "inputs": {"w": before, "gradients": gradients.numpy()},
            "outputs": {"w": w.detach().numpy()},
        }


def reorder_cases():
    for channels in (1, 7, 12, 48):
        for factor in (b for b in range(1, channels + 1) if channels % b == 0):
            x = torch.arange(channels, dtype=torch.float64).reshape(1, channels, 1, 1)
            y = torch.nn.ChannelShuffle(factor)(x)
            assert torch.equal(twin.reorder(x, factor), y)
            yield {"op": "reorder", "params": {"factor": factor}, "inputs": {"x": nhwc(x)}, "outputs": {"y": nhwc(y)}}


def cases():
    rng = np.random.default_rng(0)
    families = [conv2d_cases, igc_block_cases, pool2d_cases, batch_norm2d_cases, small_cases]
    for family in [*families, cross_entropy_cases, sgd_cases, relu6_cases]:
        yield from family(rng)
    yield from reorder_cases()
