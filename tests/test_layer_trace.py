"""The traced forward leaves the model and the random states as they were."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nbsrc.layer_norms import layer_norms
from nbsrc.layer_trace import traced_calls


class Untidy(nn.Module):
    """A forward that changes all it can: random states, buffers, attributes, a cache."""

    counter: Tensor
    replaced: Tensor

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.normed = parametrizations.spectral_norm(nn.Conv2d(4, 4, 1))
        self.dropout = nn.Dropout(0.5)
        self.register_buffer("counter", torch.zeros(2))
        self.register_buffer("replaced", torch.zeros(2))
        self.register_buffer("nan", torch.tensor([float("nan")]))
        self.cache: dict[str, int] = {}
        self.last: Tensor | None = None
        self.fails = fails

    def forward(self, x: Tensor) -> Tensor:
        self.counter += 1
        self.replaced = self.replaced + 1
        self.cache["calls"] = 1
        torch.rand(3)
        np.random.rand(3)  # noqa: NPY002
        random.random()
        self.last = self.dropout(self.normed(self.norm(self.conv(x))))
        if self.fails:
            raise RuntimeError("no forward today")
        return self.last


def picture(model: Untidy) -> dict[str, Any]:
    """Everything that must not change, in a form that compares with ==."""
    hooks = [
        (name, key, list(value))
        for name, module in model.named_modules()
        for key, value in vars(module).items()
        if key.endswith("hooks") or "_hooks_" in key
    ]
    return {
        "training": {name: m.training for name, m in model.named_modules()},
        "hooks": hooks,
        "buffers": {n: (id(b), b.tolist()) for n, b in model.named_buffers() if n != "nan"},
        "parameters": {n: (id(p), p.requires_grad, p.grad) for n, p in model.named_parameters()},
        "weights": {n: p.tolist() for n, p in model.named_parameters()},
        "versions": {n: b._version for n, b in model.named_buffers() if n != "counter"},
        "cache": dict(model.cache),
        "last": model.last,
        "attributes": {name: sorted(vars(m)) for name, m in model.named_modules()},
        "torch": torch.random.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index, union-attr] # noqa: NPY002
        "python": random.getstate(),
        "grad": torch.is_grad_enabled(),
    }


@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_as_it_was(fails: bool) -> None:
    model = Untidy(fails)
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    seen: list[int] = []
    model.conv.register_forward_hook(lambda *_: seen.append(1))
    before = picture(model)
    if fails:
        with pytest.raises(RuntimeError, match="no forward today"):
            layer_norms(model, (1, 3, 5, 5))
    else:
        names = [r.name for r in layer_norms(model, (1, 3, 5, 5))]
        assert names == ["(model)", "conv", "norm", "normed"]
    assert seen == [1]  # the caller's own hook ran, and stays
    assert picture(model) == before


def test_the_picture_sees_what_a_plain_forward_changes() -> None:
    """Negative control: without the restoring, most entries of the picture differ."""
    model = Untidy()
    before = picture(model)
    model(torch.zeros(1, 3, 5, 5))
    after = picture(model)
    changed = {key for key in before if str(before[key]) != str(after[key])}
    assert {"buffers", "versions", "cache", "last", "torch", "numpy", "python"} <= changed


def test_a_trace_by_itself_takes_its_hooks_away() -> None:
    model = nn.Sequential(nn.Linear(2, 3))
    calls = traced_calls(model, (4, 2))
    assert calls == {model: [((4, 2), (4, 3))], model[0]: [((4, 2), (4, 3))]}
    assert not any(module._forward_hooks for module in model.modules())


def test_an_old_weight_norm_keeps_its_differentiable_weight() -> None:
    layer = torch.nn.utils.weight_norm(nn.Linear(3, 2))
    layer(torch.zeros(1, 3))
    before = layer.weight
    (record,) = layer_norms(layer, (1, 3))
    assert record.type == "Linear"
    assert layer.weight is before
    assert layer.weight.requires_grad


def test_gradients_through_an_earlier_forward_still_work() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).eval()
    loss = model(torch.ones(2, 3)).sum()
    layer_norms(model, (1, 3))
    loss.backward()
    assert model[0].weight.grad is not None
