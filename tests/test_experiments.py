"""Experiments run, are written whole, and are read back only if they fit."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import yaml

from nbsrc import experiments
from nbsrc.experiment_plan import read_plan
from nbsrc.experiments import load_or_train, main, run_experiment

PLAN = {
    "name": "small",
    "description": "A test.",
    "data": {"name": "digits"},
    "model": {"name": "digits_cnn"},
    "training": {"batch_size": 32},
    "record": {"norms": [1], "end_norms": [2]},
    "runs": {"plain": {}, "decayed": {"weight_decay": 0.1}},
    "tiers": {
        "smoke": {"epochs": 2, "train_images": 64, "test_images": 32},
        "book": {"epochs": 1, "seeds": 2, "train_images": 64, "test_images": 32},
        "paper": {"epochs": 1, "train_images": 99999},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yml").write_text(yaml.safe_dump(PLAN, sort_keys=False), encoding="utf-8")
    return tmp_path


def numbers(results: dict) -> list:
    """The part of the results that repeats: everything but times and provenance."""
    runs = [{k: v for k, v in run.items() if k != "seconds"} for run in results["runs"]]
    return [results["digest"], results["sizes"], runs]


def test_results_hold_histories_norms_and_provenance(folder: Path) -> None:
    results = run_experiment(read_plan(folder / "small.yml"), "smoke")
    assert [(run["label"], run["seed"]) for run in results["runs"]] == [
        ("plain", 0),
        ("decayed", 0),
    ]
    plain, decayed = (run["history"] for run in results["runs"])
    assert [row["epoch"] for row in plain] == [0, 1, 2]
    assert plain[0] == decayed[0]  # the same initial weights
    assert plain[2] != decayed[2]
    names = [row["name"] for row in plain[0]["norms"]]
    assert names == ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "linear"]
    assert all(row["l1"] > 0 for epoch in plain for row in epoch["norms"])
    at_ends = [[row["l2_lower"] is not None for row in epoch["norms"]] for epoch in plain]
    assert [all(row) for row in at_ends] == [True, False, True]
    assert not any(at_ends[1])
    assert results["sizes"] == {"epochs": 2, "seeds": 1, "train_images": 64, "test_images": 32}
    assert results["provenance"]["versions"]["torch"]
    assert results["seconds"] > 0


def test_the_command_writes_json_that_load_or_train_takes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = folder / "runs" / "small.json"
    arguments = [str(folder / "small.yml"), "--tier", "book", "--output", str(output)]
    assert main(arguments) == 0
    written = json.loads(output.read_text(encoding="utf-8"))
    assert [run["seed"] for run in written["runs"]] == [0, 1, 0, 1]
    monkeypatch.setenv("NBSRC_RUNS_DIR", str(output.parent))
    assert load_or_train("small", "book", folder=folder) == written  # times included: it was read
    monkeypatch.delenv("NBSRC_RUNS_DIR")
    trained = load_or_train("small", "book", folder=folder)
    assert trained["provenance"]["recorded"] is not written
    assert numbers(trained) == numbers(written)


@pytest.mark.parametrize("trouble", ["no file", "not JSON", "a list", "other text", "other tier"])
def test_results_that_do_not_fit_are_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(experiments, "run_experiment", lambda plan, tier: {"trained": tier})
    digest = read_plan(folder / "small.yml").digest
    good = {"digest": digest, "tier": "smoke", "runs": []}
    texts = {
        "not JSON": "{",
        "a list": "[]",
        "other text": json.dumps(good | {"digest": "0"}),
        "other tier": json.dumps(good | {"tier": "book"}),
    }
    monkeypatch.setenv("NBSRC_RUNS_DIR", str(folder))
    file = folder / "small.json"
    file.write_text(json.dumps(good))
    assert load_or_train("small", "smoke", folder=folder) == good
    file.unlink()
    if trouble in texts:
        file.write_text(texts[trouble])
    assert load_or_train("small", "smoke", folder=folder) == {"trained": "smoke"}


def test_failures_are_messages_and_leave_no_file(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = folder / "out.json"
    with caplog.at_level(logging.INFO, "nbsrc"):
        assert main([str(folder / "none.yml"), "--output", str(output)]) == 1
        many = ["--tier", "paper", "--output", str(output)]
        assert main([str(folder / "small.yml"), *many]) == 1
    assert "none.yml" in caplog.text
    assert "train must be between 1 and 1347, got 99999" in caplog.text
    assert not output.exists()


def test_bad_arguments_are_named(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"tier must be one of .* got 'huge'"):
        load_or_train("small", "huge", folder=folder)
    with pytest.raises(ValueError, match=r"tier must be one of .* got 'huge'"):
        run_experiment(read_plan(folder / "small.yml"), "huge")
    with pytest.raises(FileNotFoundError, match=r"one of \['small'\], got 'other'"):
        load_or_train("other", "smoke", folder=folder)
