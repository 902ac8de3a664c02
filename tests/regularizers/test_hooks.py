"""Hooks that edit gradients or parameters leave everything else as it was."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from nbsrc.regularizers import (
    BatchNormProjection,
    GlobalSpectral,
    NormDecay,
    SingularValueClipping,
    SpectralBound,
    WeightDecay,
    weight_layers,
)
from tests.regularizers.traces import image_batch, noisy_net


def regularizers(net):
    layers = weight_layers(net, (1, 1, 4, 4))
    draw = torch.Generator().manual_seed(0)
    return {
        "weight decay": (WeightDecay(["conv.weight"], 0.1), {"conv.weight"}, set()),
        "l1": (NormDecay(layers, order=1, beta=1.0), {"conv.weight", "out.weight"}, set()),
        "linf": (NormDecay(layers, order=math.inf, beta=1.0), {"conv.weight", "out.weight"}, set()),
        "global": (GlobalSpectral(layers, 1.0, draw, "layer"), set(), set()),
        "bound": (SpectralBound(layers, 0.5), set(), {"conv.weight", "out.weight"}),
        "fourier": (
            SingularValueClipping(layers, 0.5, as_circular=True),
            set(),
            {"conv.weight", "out.weight"},
        ),
        "matrix": (
            SingularValueClipping(layers[:1], 0.5, "matrix", rounds=5, period=1),
            set(),
            {"conv.weight"},
        ),
        "batch norm": (BatchNormProjection(["norm"], 0.1), set(), {"norm.weight"}),
    }


@pytest.mark.parametrize("name", list(regularizers(noisy_net())))
def test_hooks_change_what_they_are_for_and_nothing_else(name):
    net, (x, y) = noisy_net(), image_batch()
    regularizer, edited, moved = regularizers(net)[name]
    logits = net(x)
    loss = F.cross_entropy(logits, y)
    loss.backward(retain_graph=True)
    parameters = {key: p.detach().clone() for key, p in net.named_parameters()}
    gradients = {key: p.grad.clone() for key, p in net.named_parameters()}
    buffers = {key: (b, b.clone(), b._version) for key, b in net.named_buffers()}
    modes = [module.training for module in net.modules()]
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    python_state = random.getstate()
    regularizer.penalty(net, x, y, logits)
    regularizer.after_backward(net)
    regularizer.after_step(net)
    regularizer.after_epoch(net)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert random.getstate() == python_state
    assert [module.training for module in net.modules()] == modes
    for key, buffer in net.named_buffers():
        assert buffer is buffers[key][0]
        assert buffer._version == buffers[key][2]
    found = dict(net.named_parameters())
    assert {key for key in found if not torch.equal(found[key], parameters[key])} == moved
    assert {key for key in found if not torch.equal(found[key].grad, gradients[key])} == edited
    assert all(p.requires_grad and p.is_leaf for p in found.values())
