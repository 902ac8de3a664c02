"""Measures of outputs and of changes, against what they are defined to be."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.data import ImageData, load_data
from nbsrc.experiments.measures import compute
from nbsrc.layer_spectra import circular_singular_values


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load_data("digits").only([0, 1]).first(60, 40)


def linear(scale: float = 1.0) -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model[1].weight.copy_(scale * torch.randn(2, 64, generator=generator))
        model[1].bias.zero_()
    return model


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return F.cross_entropy(model(x).double(), y, reduction="none")


def test_histograms_of_probabilities_and_losses(data: ImageData) -> None:
    model = linear()
    found = compute({"kind": "predictions", "bins": 4}, model, data, None, 0)
    own = losses(model, data.test_images, data.test_labels)
    test = found["test"]
    assert test["probabilities"] == torch.histc((-own).exp(), 4, 0, 1).int().tolist()
    assert math.isclose(test["low"] + test["middle"] + test["high"], 1)
    assert sum(test["losses"]) + test["beyond"] == len(own)
    assert math.isclose(test["loss"], float(own.mean()))
    assert math.isclose(test["loss_quantiles"]["0.9"], float(own.quantile(0.9)))
    assert found["train"] != test


def test_rescaling_logits_is_rescaling_the_last_layer(data: ImageData) -> None:
    once = compute({"kind": "rescaled_logits"}, linear(), data, None, 0)
    twice = compute({"kind": "rescaled_logits"}, linear(2.0), data, None, 0)
    for part in ("train", "test"):
        for curve in ("loss", "near_zero", "middle", "mean_abs"):
            assert once[part][curve][2:] == pytest.approx(twice[part][curve][:-2], rel=1e-5)
        assert twice[part]["std"] == pytest.approx(2 * once[part]["std"], rel=1e-5)
        assert twice[part]["skewness"] == pytest.approx(once[part]["skewness"], rel=1e-5)
    at_one = once["factors"].index(1.0)
    own = losses(linear(), data.test_images, data.test_labels)
    assert once["test"]["loss"][at_one] == pytest.approx(float(own.mean()))


def test_the_loss_of_a_linear_network_changes_as_its_weights_say(data: ImageData) -> None:
    data = ImageData("grey", data.train_images, data.train_labels,
                     0.25 + 0.5 * data.test_images, data.test_labels)  # fmt: skip
    model, eps = linear(0.1), 1 / 16
    found = compute({"kind": "loss_change", "eps": eps}, model, data, None, 0)
    x, y = data.test_images, data.test_labels
    gap = (model[1].weight[1] - model[1].weight[0]).detach().view(1, 1, 8, 8)
    towards = torch.where(y == 0, 1.0, -1.0).view(-1, 1, 1, 1)
    exact = losses(model, x + eps * towards * gap.sign(), y) - losses(model, x, y)
    assert found["mean"] == pytest.approx(float(exact.mean()), rel=1e-4)
    assert found["std"] == pytest.approx(float(exact.std(correction=0)), rel=1e-4)


def test_a_layer_that_is_an_isometry_has_one_gain(data: ImageData) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        orthogonal = torch.linalg.qr(torch.randn(64, 64, generator=generator)).Q
        model[1].weight.copy_(3 * orthogonal)
        model[3].weight.copy_(torch.randn(2, 64, generator=generator))
    found = compute({"kind": "layer_changes", "eps": 0.1}, model, data, 10, 0)
    assert found["layers"] == ["1", "3"]
    for perturbation in ("random", "pgd"):
        rows = found[perturbation]
        assert rows["gain_mean"][0] == pytest.approx(3, rel=1e-5)
        assert rows["gain_std"][0] < 1e-5
        assert rows["change_mean"][0] == pytest.approx(3, rel=1e-5)
        assert rows["gain_std"][1] > 0.01


def test_images_that_change_nothing_do_not_count(data: ImageData) -> None:
    model = linear(0.0)
    rows = compute({"kind": "layer_changes", "eps": 0.1}, model, data, 4, 0)["random"]
    assert rows["gain_mean"] == [0.0]
    dead = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        dead[1].bias.fill_(-1e4)
    rows = compute({"kind": "layer_changes", "eps": 0.1}, dead, data, 4, 0)["random"]
    assert rows["gain_mean"][1] is None
    assert rows["change_mean"][1] == 0.0


def test_large_layers_get_the_spectrum_of_the_torus(data: ImageData) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 4, 3, padding=1, groups=2, stride=2),
        nn.Flatten(), nn.Linear(64, 2),
    )  # fmt: skip
    spec = {"kind": "layer_spectra", "max_entries": 500, "circular": True}
    rows = compute(spec, model, data, None, 0)["layers"]
    assert [row["operator"] for row in rows] == ["torus", "torus", "layer"]
    for row, groups in zip(rows, (1, 2), strict=False):
        weight = model.get_submodule(row["name"]).weight
        values = circular_singular_values(weight, (8, 8), groups=groups)
        assert row["std"] == pytest.approx(float(values.std(correction=0)))
        assert "circular" in row["remark"]
    plain = compute({"kind": "layer_spectra", "max_entries": 500}, model, data, None, 0)["layers"]
    assert [row["operator"] for row in plain] == ["none", "none", "layer"]
    assert plain[0]["std"] is None
