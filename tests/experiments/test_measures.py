"""Every measure gives JSON, leaves the network alone, and agrees with the function behind it."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from nbsrc.attacks import deepfool, fgsm, pgd
from nbsrc.data import ImageData, load_data
from nbsrc.experiments.measures import ATTACKS, MEASURES, check_measures, compute
from nbsrc.margins import margin
from nbsrc.training import TrainingSettings, evaluate, train

SPECS = {
    "fgsm": {"eps": "1/8"},
    "pgd": {"eps": 0.1, "steps": 3, "alpha": 0.05},
    "auto_attack": {"eps": 0.1},
    "deepfool": {},
    "carlini_wagner": {"steps": 20, "binary_search_steps": 2, "initial_const": 1.0},
    "accuracy": {},
    "layer_norms": {"ords": [1, "inf"]},
    "layer_spectra": {},
    "margins": {"bins": 8},
    "predictions": {"bins": 5},
    "rescaled_logits": {},
    "loss_change": {"eps": "1/32", "steps": 3},
    "layer_changes": {"eps": "1/32", "steps": 2},
    "slopes": {},
    "jacobian_spectrum": {"eps": 0.1, "ranks": 3},
    "alignment": {"radii": [0.1, 0.2], "steps": 2},
    "linearity": {"eps": 0.1, "radii": [0.1], "steps": 2, "power_steps": 3},
    "shared_activations": {"radii": [0.1], "steps": 2},
    "robustness_curve": {"radii": [0.1, 0.2], "p": "inf", "steps": 2},
}


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load_data("digits").only([0, 1]).first(200, 40)


@pytest.fixture(scope="module")
def net(data: ImageData) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    train(model, data, TrainingSettings(3), generator=generator)
    return model


def test_every_kind_is_covered() -> None:
    assert set(SPECS) == set(MEASURES)
    assert set(ATTACKS) < set(MEASURES)


@pytest.mark.parametrize("kind", SPECS)
def test_a_measure_gives_json_twice_the_same(kind: str, net: nn.Module, data: ImageData) -> None:
    spec = check_measures("m", {"it": {"kind": kind, **SPECS[kind]}})["it"]
    weights = [parameter.detach().clone() for parameter in net.parameters()]
    found = compute(spec, net, data, 2, 0)
    assert json.loads(json.dumps(found, allow_nan=False)) == compute(spec, net, data, 2, 0)
    assert all(torch.equal(a, b) for a, b in zip(weights, net.parameters(), strict=True))
    assert net.training
    if kind in ATTACKS:
        assert found["points"] == 2


def test_a_measures_own_number_of_images_goes_first(net: nn.Module, data: ImageData) -> None:
    spec = {"kind": "fgsm", "eps": 0.1, "images": 4}
    assert compute(spec, net, data, 6, 0)["points"] == 4


def test_attacks_are_those_of_the_package(net: nn.Module, data: ImageData) -> None:
    x, y = data.test_images[:20], data.test_labels[:20]
    found = compute({"kind": "fgsm", "eps": "1/8"}, net, data, 20, 0)
    assert found["correct"] == fgsm(net, x, y, 0.125).accuracy.correct
    spec = {"kind": "pgd", "eps": 0.2, "p": 2, "steps": 4}
    found = compute(spec, net, data, 20, 5)
    assert found["correct"] == pgd(net, x, y, 0.2, 2, steps=4, seed=5).accuracy.correct
    norms = deepfool(net, x, y).norms
    found = compute({"kind": "deepfool"}, net, data, 20, 0)
    moved = norms[(norms > 0) & norms.isfinite()]
    assert found["found"] == len(moved)
    assert abs(found["mean"] - float(moved.mean())) < 1e-6
    assert abs(found["mean_all"] - float(norms[norms.isfinite()].mean())) < 1e-6


def test_what_an_attack_does_not_find_is_counted_and_not_averaged(data: ImageData) -> None:
    constant = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    for parameter in constant.parameters():
        parameter.data.zero_()
    constant[1].bias.data[0] = 1.0
    found = compute({"kind": "carlini_wagner", "steps": 5}, constant, data, 40, 0)
    zeros = int((data.test_labels[:40] == 0).sum())
    assert (found["clean_correct"], found["found"], found["mean"]) == (zeros, 0, None)
    assert found["mean_all"] == 0.0
    assert found["quantiles"] is None


def test_accuracy_and_margins(net: nn.Module, data: ImageData) -> None:
    found = compute({"kind": "accuracy"}, net, data, None, 0)
    assert found["test_accuracy"] == evaluate(net, data.test_images, data.test_labels)[1]
    assert found["train_loss"] == evaluate(net, data.train_images, data.train_labels)[0]
    margins = compute({"kind": "margins", "bins": 10}, net, data, None, 0)
    with torch.no_grad():
        values = margin(net(data.test_images).double().softmax(1), data.test_labels)
    assert sum(margins["test"]["counts"]) == len(values)
    assert abs(margins["test"]["mean"] - float(values.mean())) < 1e-6
    assert abs(1 - margins["test"]["errors"] - found["test_accuracy"]) < 1e-12
    assert len(margins["edges"]) == 11


def test_norms_and_spectra_name_the_layers(net: nn.Module, data: ImageData) -> None:
    norms = compute({"kind": "layer_norms", "ords": ["inf"]}, net, data, None, 0)["layers"]
    expected = [float(layer.weight.detach().abs().sum(1).max()) for layer in (net[1], net[3])]
    assert [row["name"] for row in norms] == ["1", "3"]
    pairs = zip(norms, expected, strict=True)
    assert all(math.isclose(row["linf"], value, rel_tol=1e-6) for row, value in pairs)
    rows = compute({"kind": "layer_spectra"}, net, data, None, 0)["layers"]
    values = torch.linalg.svdvals(net[3].weight.detach().double())
    assert math.isclose(rows[1]["std"], float(values.std(correction=0)), rel_tol=1e-6)
