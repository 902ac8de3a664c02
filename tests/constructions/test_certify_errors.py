"""Bad input to certificates: every error names the argument and what is allowed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.constructions.certify import certify_robust

POINTS, LABELS = torch.zeros(2, 2).double(), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"network": nn.Linear(2, 1).double()}, TypeError, "network must be an nn.Sequential"),
        ({"network": nn.Sequential(nn.Linear(2, 1).half())}, TypeError, "float32 or float64"),
        ({"network": nn.Sequential(nn.ReLU())}, TypeError, "float32 or float64"),
        (
            {"network": nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1).double())},
            TypeError,
            "of one dtype",
        ),
        (
            {"network": nn.Sequential(nn.Linear(2, 2).double(), nn.Softmax(1))},
            NotImplementedError,
            "Softmax.* is not supported",
        ),
        (
            {"network": nn.Sequential(nn.Linear(2, 2).double(), nn.GELU("tanh"))},
            NotImplementedError,
            "GELU.* is not supported",
        ),
        (
            {"network": nn.Sequential(nn.ReLU(), nn.Linear(2, 1).double())},
            NotImplementedError,
            "must begin with a linear layer",
        ),
        (
            {"network": nn.Sequential(nn.Linear(2, 2).double(), nn.Flatten(0))},
            NotImplementedError,
            "mixes points",
        ),
        ({"points": [[0.0, 0.0]]}, TypeError, "points must be a torch.Tensor"),
        ({"points": torch.zeros(2, 3)}, ValueError, r"points must have shape \[m, 2\]"),
        ({"points": torch.zeros(0, 2)}, ValueError, r"with m >= 1"),
        ({"points": torch.full((2, 2), math.nan)}, ValueError, "points must be finite"),
        ({"labels": torch.zeros(2)}, TypeError, "labels must be integers"),
        ({"labels": torch.zeros(3).long()}, ValueError, r"labels must have shape \(2,\)"),
        ({"labels": torch.tensor([0, 2**60])}, ValueError, "labels must be at most"),
        ({"eps": -0.1}, ValueError, "eps must be a finite number >= 0"),
        ({"eps": math.nan}, ValueError, "eps must be a finite number >= 0"),
        ({"ord": 3}, ValueError, "ord must be 1, 2 or math.inf"),
        ({"pieces": -1}, ValueError, "pieces must be an integer >= 0"),
        ({"output": "logits"}, ValueError, "output must be 'auto', 'label' or 'scores'"),
        ({"output": "scores"}, ValueError, "scores need at least two outputs"),
    ],
)
def test_errors(change, error, match):
    arguments = {
        "network": nn.Sequential(nn.Linear(2, 1).double()), "points": POINTS, "labels": LABELS,
        "eps": 0.1, "ord": 2,
    }  # fmt: skip
    with pytest.raises(error, match=match):
        certify_robust(**(arguments | change))


def test_errors_of_scores_and_dtypes():
    scores = nn.Sequential(nn.Linear(2, 3).double())
    with pytest.raises(ValueError, match="needs a network of one output, got 3"):
        certify_robust(scores, POINTS, LABELS, 0.1, 2, output="label")
    with pytest.raises(ValueError, match=r"classes must be 3 distinct labels, got \[0, 1\]"):
        certify_robust(scores, POINTS, LABELS, 0.1, 2, classes=(0, 1))
    with pytest.raises(ValueError, match=r"among the classes \[0, 1, 2\] of the scores, got \[9\]"):
        certify_robust(scores, POINTS, torch.tensor([0, 9]), 0.1, 2)
    single = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(ValueError, match="points must be exact in the network's dtype"):
        certify_robust(single, POINTS + 0.1, LABELS, 0.1, 2)
    broken = nn.Sequential(nn.Linear(2, 1).double())
    broken[0].weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match="network must have finite weights"):
        certify_robust(broken, POINTS, LABELS, 0.1, 2)
