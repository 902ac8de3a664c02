"""layer_norms against dense matrices of the modules themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from nbsrc.layer_norms import LayerNorm, layer_norms, to_rows
from nbsrc.torchvision_compat import torchvision_models

ALL = (1, math.inf, "fro", 2)


def one(model: nn.Module, example: Any, name: str, **options: Any) -> LayerNorm:
    (found,) = [r for r in layer_norms(model, example, **options) if r.name == name]
    return found


def test_resnet18_lists_every_layer_with_its_input_size() -> None:
    model = torchvision_models().resnet18(num_classes=10)
    records = layer_norms(model, (1, 3, 32, 32), ords=(1, math.inf))
    known = [
        name
        for name, m in model.named_modules()
        if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)
    ]
    assert [r.name for r in records] == known
    assert len(known) == 41
    by_name = {r.name: r for r in records}
    assert by_name["conv1"].input_size == (32, 32)
    assert by_name["layer4.1.conv2"].input_size == (1, 1)
    assert by_name["layer4.1.conv2"].satisfies_assumption1 is False
    assert by_name["conv1"].satisfies_assumption1 is True
    assert all(set(r.norms) == {"l1", "linf"} and r.calls == 1 for r in records)
    # a 3x3 kernel on one padded pixel acts through its middle tap alone
    middle = model.layer4[1].conv2.weight[:, :, 1, 1].detach()
    assert by_name["layer4.1.conv2"].norms["l1"] == pytest.approx(float(middle.abs().sum(0).max()))


def test_a_layer_called_with_several_sizes_is_listed_once_for_each() -> None:
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            small = nn.functional.avg_pool2d(self.conv(self.conv(x)), 4)
            return self.conv(small)

    records = layer_norms(Pyramid().double(), (1, 1, 4, 4))
    assert [(r.input_size, r.calls) for r in records] == [((4, 4), 2), ((1, 1), 1)]
    assert records[0].norms["l1"] > records[1].norms["l1"]


def test_shared_layers_are_listed_once_with_all_names() -> None:
    layer = nn.Linear(3, 3)
    records = layer_norms(nn.Sequential(layer, nn.ReLU(), layer), (1, 3))
    assert [(r.name, r.calls, r.remark) for r in records] == [("0", 2, "shared, also named 2")]


def test_layers_that_are_not_called_are_listed_as_such() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(2, 2)
            self.idle = nn.Conv2d(1, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    record = one(Idle(), (1, 2), "idle")
    assert record.norms == {}
    assert (record.kind, record.calls, record.input_size) == ("conv", 0, None)
    assert "not called" in record.remark


class OwnParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight / self.weight.std(), self.bias)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.GroupNorm(2, 4), (1, 4, 5, 5)),
        (nn.LayerNorm(5), (1, 4, 5, 5)),
        (nn.PReLU(), (1, 4, 5, 5)),
        (nn.Bilinear(2, 2, 2), None),
        (nn.InstanceNorm2d(4, track_running_stats=True), (1, 4, 5, 5)),
        (nn.LSTM(5, 3), (2, 1, 5)),
        (OwnParameter(), (1, 4)),
        (Standardised(4, 2, 3), (1, 4, 5, 5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_unknown_layers_are_listed_as_unknown(
    layer: nn.Module, shape: tuple[int, ...] | None
) -> None:
    example: Any = (torch.zeros(1, 2), torch.zeros(1, 2)) if shape is None else shape
    record = one(layer, example, "(model)")
    assert (record.kind, record.norms) == ("unknown", {})
    assert "norms not known for this class" in record.remark
    assert type(layer).__name__ == record.type


def test_embedding_and_attention_are_listed() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            y = self.embedding(x)
            return self.attention(y, y, y)[0]

    found = {r.name: r for r in layer_norms(Attention(), torch.tensor([[1, 2]]))}
    assert found["embedding"].kind == found["attention"].kind == "unknown"
    assert "not called" in found["attention.out_proj"].remark


def test_a_forward_replaced_on_the_instance_makes_a_layer_unknown() -> None:
    layer = nn.Linear(2, 2)
    layer.forward = lambda x: 3 * x  # type: ignore[method-assign]
    assert one(layer, (1, 2), "(model)").kind == "unknown"


def test_batch_norm_without_statistics_has_no_fixed_norm() -> None:
    for affine in (True, False):
        layer = nn.BatchNorm2d(3, track_running_stats=False, affine=affine)
        record = one(layer, (2, 3, 4, 4), "(model)", ords=ALL)
        assert (record.kind, record.norms, record.l2) == ("batch-norm", {}, None)
        assert "no fixed norm" in record.remark


def test_padding_modes_without_a_formula_are_listed_with_the_reason() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")
    record = one(layer, (1, 1, 5, 5), "(model)")
    assert (record.kind, record.norms) == ("conv", {})
    assert "'reflect'" in record.remark


def test_a_parametrized_layer_is_one_row_with_its_own_type() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(1, 2, 3)))
    parametrize.register_parametrization(model[0], "bias", nn.Identity())
    (record,) = layer_norms(model, (1, 1, 5, 5))
    assert (record.name, record.type) == ("0", "Conv2d")


def test_rows_have_the_same_keys_and_plain_values() -> None:
    import json

    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GroupNorm(1, 2))
    rows = to_rows(layer_norms(model, (1, 1, 5, 5), ords=(1, 2)))
    assert len({tuple(row) for row in rows}) == 1
    assert [row["kind"] for row in rows] == ["conv", "batch-norm", "unknown"]
    assert rows[0]["l2_lower"] <= rows[0]["l2_upper"]
    assert rows[0]["fro"] is None
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("text", (1, 2)), {}, TypeError, "model must be a torch.nn.Module, got str"),
        ((nn.Linear(2, 2), 5), {}, TypeError, "example_input must be .* got 5"),
        ((nn.Linear(2, 2), "ab"), {}, TypeError, "example_input must be"),
        ((nn.Linear(2, 2), ()), {}, TypeError, "example_input must be"),
        ((nn.Linear(2, 2), (1, 2.0)), {}, TypeError, "example_input must be"),
        ((nn.Linear(2, 2), (0, 2)), {}, TypeError, "example_input must be"),
        ((nn.Linear(2, 2), (1, 2)), {"ords": (3,)}, ValueError, "ords must hold only .* got 3"),
        ((nn.Linear(2, 2), (1, 2)), {"ords": ("l1",)}, ValueError, "ords must hold only"),
        ((nn.Linear(2, 2), (1, 2)), {"ords": (True,)}, ValueError, "ords must hold only"),
        ((nn.LazyLinear(2), (1, 2)), {}, ValueError, "LazyLinear.*has no weights yet"),
    ],
)
def test_bad_arguments_are_named(
    arguments: Any, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        layer_norms(*arguments, **options)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_names_its_layer(bad: float) -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight[0, 1] = bad
    with pytest.raises(ValueError, match=r"layer '1' .*weight must be finite"):
        layer_norms(model, (1, 2))
