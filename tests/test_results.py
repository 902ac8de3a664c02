"""Recorded results are complete, carry their provenance and name no machine or path."""

from __future__ import annotations

import json
import re

import pytest

from nbsrc.experiments import read_plan
from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.collected import mismatches, read_recorded
from nbsrc.experiments.store import RunStore
from nbsrc.files import project_root
from nbsrc.table1 import METHODS, TABLE1_KERNELS

FILES = sorted((project_root() / "results").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_recorded_result_names_no_path(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'"(/|[A-Z]:\\|~)', text)
    # an experiment's record has a line per run
    assert len(text) < (1_000_000 if '"runs": [' in text else 100_000)


EXPERIMENTS = [p for p in FILES if (project_root() / "experiments" / f"{p.stem}.yml").is_file()]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_record_matches_its_experiment_file(path) -> None:
    recorded = read_recorded(path.read_text(encoding="utf-8"))
    plan = read_plan(project_root() / "experiments" / f"{path.stem}.yml")
    campaign = Campaign(plan, recorded["tier"], RunStore(path.parent / "none"))
    assert mismatches(campaign, recorded) == []
    assert recorded["runs"]
    for source in recorded["provenance"]:
        assert {"versions", "processor", "threads", "commit", "code", "data"} <= set(source)
    changed = recorded | {"runs": [recorded["runs"][0] | {"identity": "0"}, *recorded["runs"][1:]]}
    assert len(mismatches(campaign, changed)) == 1


def test_paper_ds_experiments_are_recorded() -> None:
    assert {"D_mnist_binary", "D_mnist_multi"} <= {path.stem for path in EXPERIMENTS}


def test_table1_is_recorded_for_every_kernel_and_method() -> None:
    recorded = json.loads((project_root() / "results" / "A_table1.json").read_text())
    assert {"recorded", "versions", "processor", "threads"} <= set(recorded["provenance"])
    assert [tuple(row["kernel"]) for row in recorded["table1"]] == list(TABLE1_KERNELS)
    for row in recorded["table1"]:
        assert set(row["timings"]) == set(METHODS)
        assert all(timing["repeats"] >= 1 for timing in row["timings"].values())
        assert all(row["timings"][m]["repeats"] == 100 for m in ("limit", "l1", "linf", "fro"))
        assert row["values"]["fro"] > row["values"]["power_iteration"] > 0
