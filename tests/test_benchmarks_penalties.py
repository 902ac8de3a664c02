"""The recorders of paper D's chapter run, and its records are of these plans."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from torch import nn

from benchmarks import penalties
from nbsrc.data import load_data
from nbsrc.files import project_root


def recorded(part: str) -> dict:
    path = project_root() / "results" / f"D_penalty_{part}.json"
    content: dict = json.loads(path.read_text(encoding="utf-8"))
    assert {"recorded", "versions", "processor", "threads"} <= set(content["provenance"])
    return content


def test_a_box_and_a_smaller_radius_only_help_the_network() -> None:
    data = load_data("digits").only([1, 7]).first(40, 20)
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    model[1].weight.data = data.train_images.flatten(1)[:2] + torch.randn(
        2, 64, generator=generator
    )
    found = penalties._settings(model.eval(), data.test_images, data.test_labels)
    found = {name: round(value, 6) for name, value in found.items()}
    assert found["clean"] >= found["FGSM"] >= found["FGSM, pixels not clipped"]
    assert found["40 steps of 0.01"] >= found["40 steps of 0.01, 5 restarts"]
    assert found["40 steps of eps/10, eps 0.12"] >= found["40 steps of eps/10, eps 0.2"]


def test_strong_penalties_are_recorded_with_what_failed(monkeypatch, tmp_path) -> None:
    plan = {
        "data": "digits", "net": "lenet_300_100", "width": 0.05, "reference": 3, "seeds": [0],
        "strengths": [0.0, 1e9], "steps": 4, "penalties": [penalties.JacobianPenalty],
    }  # fmt: skip
    monkeypatch.setattr(penalties, "DIVERGENCE", [plan])
    monkeypatch.setattr(penalties, "_partial", lambda: tmp_path / "partial.json")
    build = penalties.build_model
    shape = {"image": (1, 8, 8), "small_images": True}
    monkeypatch.setattr(penalties, "build_model", lambda *a, **k: build(*a, **k, **shape))
    (row,) = penalties._divergence(argparse.Namespace(data=["digits"]))
    none, strong, clipped = row["runs"]
    assert none["failed"] is None
    assert strong["failed"] is not None
    assert (strong["clip"], clipped["clip"]) == (None, 1.0)
    assert row["stable_strength"] == pytest.approx(2 * 1.9 / (0.01 * row["sharpness"]))
    assert json.loads((tmp_path / "partial.json").read_text()) == [row]


def test_the_records_are_of_these_plans() -> None:
    times = recorded("times")["rows"]
    assert {(row["net"], row["classes"]) for row in times} == {
        (net, classes) for net in ("lenet_300_100", "lenet5") for classes in (2, 10)
    }
    for row in times:
        assert set(row["ratios"]) == set(penalties.PENALTIES)
        assert row["ratios"]["plain"] == 1
    for row in recorded("divergence")["rows"]:
        (plan,) = [
            plan
            for plan in penalties.DIVERGENCE
            if plan["data"] == row["data"] and row["seed"] in plan["seeds"]
        ]
        assert {run["strength"] for run in row["runs"]} == set(plan["strengths"])
        assert row["steps"] == plan["steps"]
    assert len(recorded("pgd")["rows"]) >= 2
