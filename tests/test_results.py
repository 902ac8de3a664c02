"""Recorded results are complete, carry their provenance and name no machine or path."""

from __future__ import annotations

import json
import re

import pytest

from nbsrc.files import project_root
from nbsrc.table1 import METHODS, TABLE1_KERNELS

FILES = sorted((project_root() / "results").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_result_names_no_path(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'"(/|[A-Z]:\\|~)', text)
    assert len(text) < 100_000


def test_table1_is_recorded_for_every_kernel_and_method() -> None:
    recorded = json.loads((project_root() / "results" / "A_table1.json").read_text())
    assert {"recorded", "versions", "processor", "threads"} <= set(recorded["provenance"])
    assert [tuple(row["kernel"]) for row in recorded["table1"]] == list(TABLE1_KERNELS)
    for row in recorded["table1"]:
        assert set(row["timings"]) == set(METHODS)
        assert all(timing["repeats"] >= 1 for timing in row["timings"].values())
        assert all(row["timings"][m]["repeats"] == 100 for m in ("limit", "l1", "linf", "fro"))
        assert row["values"]["fro"] > row["values"]["power_iteration"] > 0
