"""Paper B's measures against dense oracles, and standardised images from file to record."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from nbsrc.attacks import fgsm, pgd
from nbsrc.data import ImageData, load_data, standardised_data
from nbsrc.experiments import read_plan
from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.measures import compute
from nbsrc.experiments.store import RunStore
from nbsrc.models import Standardisation
from nbsrc.training import CropAndFlip

PLAN = """
name: small
description: words
data: {name: digits, standardise: STANDARDISE}
model: {name: lenet5, width: 0.1}
runs: {plain: {}}
tiers: {smoke: {epochs: 1, train_images: 8, test_images: 4}, book: {epochs: 1}, paper: {epochs: 1}}
"""


@pytest.fixture(scope="module")
def data() -> ImageData:
    return standardised_data(load_data("digits").first(20, 6))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10)).eval()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 8
    return model


def features_jacobian(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    active = (net[1](x.flatten(1)) > 0).double()
    J: torch.Tensor = active[:, :, None] * net[1].weight.detach().double()
    return J


def test_spectrum(net: nn.Module, data: ImageData) -> None:
    spec = {"kind": "jacobian_spectrum", "eps": 0.5, "ranks": 4, "bounds": None}
    found = compute(spec, net, data, None, 0)
    J = features_jacobian(net, data.test_images)
    values = torch.linalg.svdvals(J)[:, :4]
    mean, se = values.mean(dim=0), values.std(dim=0) / math.sqrt(len(values))
    assert torch.allclose(torch.tensor(found["features"]["mean"]).double(), mean, atol=1e-6)
    assert torch.allclose(torch.tensor(found["features"]["se"]).double(), se, atol=1e-6)
    whole = torch.linalg.svdvals(net[3].weight.detach().double() @ J).mean(dim=0)
    assert abs(found["logits"]["mean"][0] - float(whole[0])) < 1e-6
    assert all(0 <= v <= 1 for v in found["alignment"]["mean"] + found["random"]["mean"])
    # All right singular vectors together hold at most the whole perturbation.
    assert sum(v * v for v in found["alignment"]["mean"]) <= 1 + 1e-9


def test_linearity_is_exact_in_a_linear_region(net: nn.Module, data: ImageData) -> None:
    spec = {"kind": "linearity", "eps": 0.1, "radii": [1e-3, 2.0], "power_steps": 200,
            "bounds": None}  # fmt: skip
    found = compute(spec, net, data, None, 0)
    for direction in ("random", "adversarial"):
        near, far = found[direction]["deviation"]["mean"]
        assert near < 1e-5 < far
        sigma = torch.linalg.svdvals(features_jacobian(net, data.test_images))[:, 0].mean()
        assert abs(found[direction]["sigma"]["mean"][0] / float(sigma) - 1) < 1e-3


def test_alignment_of_a_network_with_one_direction(data: ImageData) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).eval()
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].weight[0, 5] = 3.0
        net[1].bias.zero_()
    spec = {"kind": "alignment", "radii": [0.5], "steps": 20, "bounds": None}
    two = ImageData("two", data.train_images, data.train_labels % 2, data.test_images,
                    data.test_labels % 2, standardised=True)  # fmt: skip
    found = compute(spec, net, two, None, 0)
    # Not 1: steps of 2 eps in all do not quite forget the random start.
    assert 0.9 < found["adversarial"]["mean"][0] < 1
    assert found["random"]["mean"][0] < 0.5


def test_curves_and_patterns(net: nn.Module, data: ImageData) -> None:
    spec = {"kind": "robustness_curve", "radii": [0.0, 1.0], "steps": 4, "bounds": None}
    found = compute(spec, net, data, None, 3)
    assert found["mean"][0] == found["clean"]
    attack = pgd(net, data.test_images, data.test_labels, 1.0, 2, steps=4, alpha=0.5, seed=3,
                 bounds=None)  # fmt: skip
    assert found["mean"][1] == attack.accuracy.value
    spec = {"kind": "shared_activations", "radii": [1e-6, 50.0], "steps": 1, "bounds": None}
    shares = compute(spec, net, data, None, 0)
    for key in ("data", "uniform", "adversarial"):
        assert shares[key]["mean"][0] == 1.0
        assert shares[key]["mean"][1] < 1.0


def test_attacks_without_bounds(net: nn.Module, data: ImageData) -> None:
    x, y = data.test_images, data.test_labels
    for attack in (pgd, fgsm):
        with pytest.raises(ValueError, match=r"x must lie in \[0, 1\]"):
            attack(net, x, y, 0.5)
        moved = attack(net, x, y, 0.5, 2, bounds=None).x - x
        assert float(moved.flatten(1).norm(dim=1).max()) <= 0.5 + 1e-5
    low, high = float(x.min()), float(x.max())
    inside = pgd(net, x, y, 3.0, bounds=(low, high)).x
    assert (float(inside.min()), float(inside.max())) >= (low, low)
    assert float(inside.max()) <= high
    with pytest.raises(ValueError, match=r"x must lie in \[-inf, inf\]"):
        pgd(net, x * math.nan, y, 0.5, bounds=None)


def test_standardised_images(data: ImageData) -> None:
    flat = data.train_images.flatten(1).double()
    assert torch.allclose(flat.mean(dim=1), torch.zeros(20, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(flat.square().mean(dim=1), torch.ones(20, dtype=torch.float64), atol=1e-5)
    plain = load_data("digits").first(20, 6)
    assert data.checksum()["standardised"] is True
    assert "standardised" not in plain.checksum()
    assert data.checksum()["train"] != plain.checksum()["train"]
    with pytest.raises(ValueError, match="standardised already"):
        standardised_data(data)
    # The order of first() and standardising does not matter.
    assert torch.equal(standardised_data(load_data("digits")).first(20, 6).test_images,
                       data.test_images)  # fmt: skip


def test_cropping_standardised_images_forgets_an_affine_map() -> None:
    pixels = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    layer = Standardisation()
    cut, again = CropAndFlip(0), CropAndFlip(0, standardise=True)
    one = layer(cut(pixels, torch.Generator().manual_seed(1)))
    two = again(layer(pixels), torch.Generator().manual_seed(1))
    assert torch.allclose(one, two, atol=1e-9)
    padded = CropAndFlip(2, standardise=True)(layer(pixels), torch.Generator().manual_seed(1))
    assert torch.allclose(padded.flatten(1).norm(dim=1), torch.full((4,), 8.0).double())


def test_an_experiment_says_that_its_images_are_standardised(tmp_path: Path) -> None:
    found = {}
    for word in ("true", "false", "absent", "1"):
        path = tmp_path / "small.yml"
        text = PLAN.replace(", standardise: STANDARDISE", "" if word == "absent" else
                            f", standardise: {word}")  # fmt: skip
        path.write_text(text, encoding="utf-8")
        if word == "1":
            with pytest.raises(ValueError, match=r"data.standardise must be true or false, got 1"):
                read_plan(path)
            continue
        campaign = Campaign(read_plan(path), "smoke", RunStore(tmp_path / "runs"))
        (run,) = campaign.runs.values()
        found[word] = (campaign.identity(run, 0), campaign.data.standardised)
    assert found["false"] == found["absent"]
    assert found["true"][0] != found["false"][0]
    assert (found["true"][1], found["false"][1]) == (True, False)
