"""The page of training runs says what is there, what is missing, and what never ran."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from nbsrc.experiments import main
from nbsrc.experiments.collected import recorded_text
from nbsrc.experiments.page import read_training_page
from tests.experiments.small import CONTENT


def write_plan(root: Path, name: str) -> Path:
    path = root / "experiments" / f"{name}.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(CONTENT | {"name": name}, sort_keys=False), encoding="utf-8")
    return path


def test_a_project_without_experiments_says_so(tmp_path: Path) -> None:
    page = read_training_page(tmp_path, ["book"])
    for words in ("Nothing is recorded.", "trained no network", "Every experiment has results."):
        assert words in page


def test_recorded_live_and_other_experiments_are_told_apart(tmp_path: Path) -> None:
    for name in ("live", "recorded", "waiting"):
        plan = write_plan(tmp_path, name)
    live = tmp_path / "build" / "runs" / "smoke" / "live.json"
    arguments = ["--tier", "smoke", "--only", "reference", "--folder", str(tmp_path / "runs")]
    main([str(tmp_path / "experiments" / "live.yml"), *arguments, "--output", str(live)])
    results = json.loads(live.read_text(encoding="utf-8"))
    reductions = {"of": "paper", "tier": "short", "reductions": "Half of $x$."}
    record = results | {"experiment": "recorded", "seconds": 7200.0} | reductions
    record["runs"] = [record["runs"][0] | {"status": "diverged"}]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "recorded.json").write_text(recorded_text(record, 6))

    page = read_training_page(tmp_path, ["smoke"])
    once, _, rest = page.partition("## Trained with the book")
    trained, _, waiting = rest.partition("## Written")
    assert plan.stem == "waiting"
    assert "<code>recorded</code>" in once
    assert "<code>live</code>" in trained
    assert "<code>waiting</code>" in waiting
    # one run, four missing, one diverged, two hours
    cells = ("short", "1", "4", "1", "2")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in once
    assert "Half of" in once
    assert "JacobianPenalty 0.1 (1), JacobianPenalty 1 (1)" in once
    # five runs of two seeds at the tier paper
    assert "<td>digits</td><td>10</td>" in waiting
    assert "<td>1</td><td>0</td>" in trained

    other_tier = read_training_page(tmp_path, ["book"])
    assert "trained no network" in other_tier
