"""A small experiment file on digits, and how to change it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTENT: dict[str, Any] = {
    "name": "small",
    "description": "A test.",
    "data": {"name": "digits", "classes": [1, 7]},
    "model": {"name": "lenet_300_100", "width": 0.1},
    "training": {"batch_size": 32, "learning_rate": 0.1},
    "record": {"norms": [1, "inf"], "end_norms": [2]},
    "measures": {"FGSM": {"kind": "fgsm", "eps": "16/255"}, "gaps": {"kind": "accuracy"}},
    "runs": {
        "reference": {},
        "{penalty} {strength}": {
            "over": {"penalty": ["JacobianPenalty", "Curvature"], "strength": [0.1, 1]},
            "start": "reference",
            "regularizer": {"kind": "{penalty}", "strength": "{strength}"},
            "training": {"learning_rate": 0.05},
        },
    },
    "tiers": {
        "smoke": {"epochs": 1, "train_images": 40, "test_images": 20, "attacked": 5},
        "book": {"epochs": 2, "tuning_epochs": 1, "seeds": 2, "runs": ["reference", "* 0.1"]},
        "paper": {"epochs": 4, "seeds": 2, "train_images": "all"},
        "short": {"of": "paper", "epochs": 1, "reductions": "Fewer epochs.", "test_images": 30},
    },
}

Write = Callable[..., Path]


def changed(*keys: str, to: object) -> dict[str, Any]:
    """The content with one entry replaced."""
    table = copy.deepcopy(CONTENT)
    place = table
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return table
