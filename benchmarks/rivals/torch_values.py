"""The numbers of values.ts, for PyTorch: same seeds, same bits. Checked by the comparison of results in main.ts."""

import math

import numpy
import torch

PROBES = 97


def values(shape, seed):
    """Numbers in [-0.5, 0.5) of a tensor whose positions count in the order of `shape`."""
    with numpy.errstate(over="ignore"):
        start = numpy.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
        hashed = (numpy.arange(math.prod(shape), dtype=numpy.uint32) + start) * numpy.uint32(0x85EBCA6B)
        hashed = (hashed ^ (hashed >> numpy.uint32(15))) * numpy.uint32(0xC2B2AE35)
        hashed = (hashed ^ (hashed >> numpy.uint32(13))) * numpy.uint32(0x27D4EB2F)
        hashed = (hashed ^ (hashed >> numpy.uint32(16))) >> numpy.uint32(8)
    return torch.from_numpy((hashed / 2**24 - 0.5).astype(numpy.float32).reshape(shape))


def from_nhwc(tensor):
    """[N, H, W, C] to NCHW, [K, R, S, C] to [K, C, R, S]; contiguous."""
    return tensor.permute(0, 3, 1, 2).contiguous()


def labels(count, classes):
    return (7 * torch.arange(count)) % classes


def set_weights(model):
    """Weights of all convolutions and of the linear layer, as setWeights in values.ts."""
    weights = sorted((name, p) for name, p in model.named_parameters() if p.dim() > 1)
    with torch.no_grad():
        for i, (_, weight) in enumerate(weights):
            fan_in = weight.numel() / weight.shape[0]
            scale = numpy.float32(math.sqrt(24 / fan_in))
            if weight.dim() == 4:
                k, c, r, s = weight.shape
                weight.copy_(from_nhwc(values((k, r, s, c), i + 10) * scale))
            else:
                weight.copy_(values(tuple(weight.shape), i + 10) * scale)


def probe(tensor):
    """Some numbers of a result, evenly spread in the order of NHWC."""
    tensor = tensor.detach()
    if tensor.dim() == 4:
        tensor = tensor.permute(0, 2, 3, 1)
    flat = tensor.reshape(-1)
    return flat[:: max(1, flat.numel() // PROBES)].tolist()
