"""Trains plain_igc on CIFAR-10 in PyTorch with the recipe of `igcnet train` (the authors'): pad 4 with the mean, crop,
mirror; SGD with Nesterov momentum 0.9, weight decay 1e-4 on every parameter, learning rate 0.1 times 0.1 at 1/2, 3/4 and 7/8
of the epochs; initial values N(0, sqrt(2 / fan_in)). Prints one JSON line an epoch. For scripts/gpu-check.

    python torch_train.py --data-dir DIR --num-epochs N [--batch-size 64] [--depth 20] [--rand-seed 0] [--device cuda]
"""

import argparse
import json
import math
import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from torch_networks import build

MEAN, STD = (125.307, 122.95, 113.865), (62.993, 62.089, 66.705)


def load(folder, names):
    inner = os.path.join(folder, "cifar-10-batches-bin")
    folder = inner if os.path.isdir(inner) else folder
    rows = np.concatenate([np.fromfile(os.path.join(folder, f"{name}.bin"), np.uint8).reshape(-1, 3073) for name in names])
    images = torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32).copy()).float()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std, torch.from_numpy(rows[:, 0].astype(np.int64))


def augmented(images, generator):
    """Each image from a place of its own in its padded form, mirrored or not; all on the device."""
    n = len(images)
    padded = F.pad(images, (4, 4, 4, 4))
    rows, columns = (torch.randint(9, (n, 1), generator=generator).to(images.device) for _ in range(2))
    step = torch.arange(32, device=images.device)
    columns = columns + step
    mirrored = (torch.rand((n, 1), generator=generator) < 0.5).to(images.device)
    columns = torch.where(mirrored, columns.flip(1), columns)
    n_index = torch.arange(n, device=images.device).view(n, 1, 1)
    return padded.permute(0, 2, 3, 1)[n_index, (rows + step).unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(images.split(1000), labels.split(1000)))
    return 100 * right / len(labels)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--num-epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--rand-seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--train-examples", type=int, default=50_000)
    options = parser.parse_args()
    torch.manual_seed(options.rand_seed)
    generator = torch.Generator().manual_seed(options.rand_seed)
    to = options.device
    files = math.ceil(options.train_examples / 10_000)
    x, y = (t.to(to) for t in load(options.data_dir, [f"data_batch_{i + 1}" for i in range(files)]))
    x, y = x[: options.train_examples], y[: options.train_examples]
    test = [t.to(to) for t in load(options.data_dir, ["test_batch"])]
    case = {"network": "plain_igc", "depth": options.depth, "primaryPartition": 24, "secondaryPartition": 2}
    layout = torch.channels_last if to == "cpu" else torch.contiguous_format  # the faster one for these networks
    model = build(case, channels_last=layout == torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))
    model = model.to(to).to(memory_format=layout)
    sgd = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    drops = [math.ceil(share * options.num_epochs) for share in (1 / 2, 3 / 4, 7 / 8)]
    schedule = torch.optim.lr_scheduler.MultiStepLR(sgd, drops, 0.1)
    seconds_of_all = 0.0
    for epoch in range(options.num_epochs):
        model.train()
        order = torch.randperm(len(x), generator=generator).to(to)
        total, start = torch.zeros((), device=to), time.perf_counter()
        batches = len(x) // options.batch_size
        for rows in order[: batches * options.batch_size].split(options.batch_size):
            images = augmented(x[rows], generator).contiguous(memory_format=layout)
            loss = F.cross_entropy(model(images), y[rows])
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            total += loss.detach()
        train_loss = total.item() / batches  # waits
        seconds = time.perf_counter() - start
        seconds_of_all += seconds
        schedule.step()
        top1 = accuracy(model, *test)
        row = {"epoch": epoch, "trainLoss": train_loss, "testTop1": top1, "imagesPerSecond": batches * options.batch_size / seconds}
        print(json.dumps(row), flush=True)
    speed = options.num_epochs * batches * options.batch_size / seconds_of_all
    print(f"test top-1 {top1:.2f} %, train loss {train_loss:.4f} after {options.num_epochs} epochs ({speed:,.0f} images/s)")


main()
