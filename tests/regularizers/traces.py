"""A network with batch norm and dropout in training mode, and what a penalty must not change."""

from __future__ import annotations

import torch
from torch import nn


class Noisy(nn.Module):
    """Batch norm, dropout and two dimensions, in training mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.drop, self.out = nn.Dropout(0.5), nn.Linear(48, 3)

    def forward(self, x):
        return self.out(self.drop(self.norm(self.conv(x)).relu().flatten(1)))


def noisy_net():
    net, draw = Noisy().double(), torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
    net.norm.running_var.copy_(torch.rand(3, generator=draw) + 0.5)
    net.drop.eval()
    net.drop.training = True
    return net


def image_batch():
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(4, 1, 4, 4, generator=draw, dtype=torch.float64)
    return x, torch.randint(3, (4,), generator=draw)


def check_no_trace(regularizer):
    """Modes, buffers and their versions, requires_grad, gradients and random states stay."""
    net, (x, y) = noisy_net(), image_batch()
    net.conv.bias.requires_grad_(False)
    logits = net(x)
    buffers = {name: (b, b.clone(), b._version) for name, b in net.named_buffers()}
    modes = [module.training for module in net.modules()]
    wanted = [p.requires_grad for p in net.parameters()]
    torch_state = torch.get_rng_state()
    value = regularizer.penalty(net, x, y, logits)
    assert torch.equal(torch.get_rng_state(), torch_state)
    for name, buffer in net.named_buffers():
        same, copied, version = buffers[name]
        assert buffer is same
        assert buffer._version == version
        assert torch.equal(buffer, copied)
    assert [module.training for module in net.modules()] == modes
    assert [p.requires_grad for p in net.parameters()] == wanted
    assert all(p.grad is None for p in net.parameters())
    assert not x.requires_grad
    (logits.sum() + value).backward()  # the loop's own graph is still valid
