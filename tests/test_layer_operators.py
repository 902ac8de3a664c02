"""The norms of each kind of layer against the dense matrix of the module itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nbsrc.layer_norms import layer_norms
from nbsrc.layer_operators import order_of

ALL = (1, math.inf, "fro", 2)


def dense(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """The layer's matrix: the identity pushed through it, minus what it makes of zero."""
    count = math.prod(shape)
    unit = torch.eye(count, dtype=torch.float64).reshape(count, *shape)
    modes = [(module, module.training) for module in layer.modules()]
    with torch.no_grad():
        layer.eval()
        offset = layer(torch.zeros(1, *shape, dtype=torch.float64))
        matrix = (layer(unit) - offset).flatten(1).T
    for module, mode in modes:
        module.training = mode
    return matrix


def oracle(matrix: Tensor) -> dict[str, float]:
    return {
        "l1": float(matrix.abs().sum(0).max()),
        "linf": float(matrix.abs().sum(1).max()),
        "fro": float(matrix.square().sum().sqrt()),
        "l2": float(torch.linalg.matrix_norm(matrix, 2)),
    }


def batch_norm(layer: Any, seed: int = 0) -> nn.Module:
    """A batch norm with uneven statistics, a negative gamma and a tiny variance."""
    g = torch.Generator().manual_seed(seed)
    if layer.affine:
        nn.init.normal_(layer.weight, std=2.0, generator=g)
        with torch.no_grad():
            layer.weight[0] = -7.0
        nn.init.normal_(layer.bias, generator=g)
    layer.running_mean.normal_(generator=g)
    layer.running_var.uniform_(0.5, 2.0, generator=g)
    layer.running_var[1] = 1e-7
    return layer  # type: ignore[no-any-return]


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (4, 9)),
    "conv1d same": (lambda: nn.Conv1d(2, 3, 4, padding="same"), (2, 7)),
    "conv2d": (lambda: nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)), (3, 6, 5)),
    "conv2d groups": (lambda: nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4), (4, 5, 5)),
    "conv2d 1x1 image": (lambda: nn.Conv2d(3, 4, 3, padding=1), (3, 1, 1)),
    "conv2d circular": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (2, 5, 6)),
    "conv2d valid": (lambda: nn.Conv2d(2, 3, 3, padding="valid", dilation=2), (2, 6, 7)),
    "conv3d": (
        lambda: nn.Conv3d(2, 3, (2, 3, 1), stride=(1, 2, 1), padding=(1, 1, 0)),
        (2, 3, 4, 2),
    ),
    "transpose1d": (lambda: nn.ConvTranspose1d(4, 4, 3, 2, 1, output_padding=1, groups=2), (4, 5)),
    "transpose2d": (lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1), (3, 4, 3)),
    "transpose2d dilated": (
        lambda: nn.ConvTranspose2d(2, 3, 2, dilation=3, output_padding=2),
        (2, 3, 3),
    ),
    "transpose3d": (lambda: nn.ConvTranspose3d(2, 2, 2, stride=2), (2, 2, 3, 2)),
    "linear": (lambda: nn.Linear(7, 4), (7,)),
    "linear, last axis": (lambda: nn.Linear(5, 3), (2, 3, 5)),
    "batch norm 1d": (lambda: batch_norm(nn.BatchNorm1d(5)), (5,)),
    "batch norm 1d long": (lambda: batch_norm(nn.BatchNorm1d(3)), (3, 4)),
    "batch norm 2d": (lambda: batch_norm(nn.BatchNorm2d(4, eps=1e-2)), (4, 3, 2)),
    "batch norm 2d plain": (lambda: batch_norm(nn.BatchNorm2d(4, affine=False)), (4, 3, 2)),
    "batch norm 3d": (lambda: batch_norm(nn.BatchNorm3d(2)), (2, 2, 1, 2)),
    "weight norm": (lambda: parametrizations.weight_norm(nn.Conv2d(2, 3, 3)), (2, 5, 5)),
    "spectral norm": (lambda: parametrizations.spectral_norm(nn.Linear(6, 4)), (6,)),
    "orthogonal": (lambda: parametrizations.orthogonal(nn.Linear(6, 6)), (6,)),
    "old weight norm": (lambda: torch.nn.utils.weight_norm(nn.Conv2d(2, 3, 3)), (2, 5, 5)),
}


@pytest.mark.parametrize("name", CASES)
def test_norms_equal_those_of_the_dense_matrix(name: str) -> None:
    make, shape = CASES[name]
    torch.manual_seed(3)
    layer = make().double()
    records = layer_norms(nn.Sequential(layer), (2, *shape), ords=ALL)
    assert [r.name for r in records] == ["0"]
    record, true = records[0], oracle(dense(layer, shape))
    assert record.kind != "unknown"
    assert record.norms == pytest.approx({k: true[k] for k in ("l1", "linf", "fro")}, rel=1e-12)
    if record.l2 is None:
        assert record.remark.startswith("no l2 bracket")
        assert "3d" in name or "circular" in name
    else:
        assert record.l2.lower <= true["l2"] * (1 + 1e-12)
        assert record.l2.upper >= true["l2"] * (1 - 1e-12)
        assert record.l2.converged


def test_output_size_given_to_a_transposed_convolution_counts() -> None:
    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(1, 1, 2, stride=3)

        def forward(self, x: Tensor) -> Tensor:
            return self.up(x, output_size=(7, 7))

    model = Up().double()
    (record,) = layer_norms(model, (1, 1, 2, 2), ords=ALL)
    assert record.geometry["output_padding"] == (2, 2)
    true = oracle(dense(model, (1, 2, 2)))
    assert record.l2 is not None
    assert record.l2.value == pytest.approx(true["l2"], rel=1e-12)
    assert record.norms == pytest.approx({k: true[k] for k in ("l1", "linf", "fro")}, rel=1e-12)


@pytest.mark.parametrize("value", [3, 0, -1, "l1", "2", True, None, math.nan])
def test_orders_that_are_not_known_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="ords must hold only 1, 2, inf and 'fro'"):
        order_of(value)
