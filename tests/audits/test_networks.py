"""The table of a network's convolutions against the network itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.audits.networks import convolutions, senet18_convolutions, share
from nbsrc.models import build_model
from tests.conv.strategies import conv_oracle, dense_norm


def test_resnet18() -> None:
    rows = convolutions("resnet18", 32, small_images=True, seed=3)
    model = build_model("resnet18", generator=torch.Generator().manual_seed(3), small_images=True)
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    assert [row["name"] for row in rows] == list(layers)
    stem = layers["conv1"]
    row = rows[0]
    assert row["input_size"] == (32, 32)
    assert (row["kernel"], row["stride"], row["padding"]) == (
        stem.kernel_size, stem.stride, stem.padding,
    )  # fmt: skip
    wide = stem.weight.detach().double().abs().sum(dim=(1, 2, 3)).max()
    assert row["linf"] == pytest.approx(float(wide), rel=1e-12)
    (last,) = [r for r in rows if r["name"] == "layer4.1.conv2"]
    weight = layers["layer4.1.conv2"].weight.detach()
    assert last["input_size"] == (4, 4)
    part = conv_oracle(weight[:, :1], (4, 4), padding=1)
    assert last["l1"] >= dense_norm(part, 1) * (1 - 1e-12)  # one input channel of 512
    assert all(r["ratio"] == pytest.approx(1) for r in rows if r["assumption1"])
    assert all(r["ratio_l1"] == pytest.approx(1) for r in rows if r["assumption1"])


def test_share() -> None:
    rows = [{"a": True}, {"a": False}, {"a": True}, {"a": True}]
    assert share(rows, "a") == 0.75


def test_senet18_adds_the_squeeze_layers() -> None:
    rows = [{"assumption1": True, "assumption1_nonnegative": True}] * 20
    senet = senet18_convolutions(rows)
    assert len(senet) == 36
    assert share(senet, "assumption1") == 20 / 36
    assert share(senet, "assumption1_nonnegative") == 1
