"""What a notebook gets: finished results if they fit, else trained now."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from nbsrc.experiments import load as loading
from nbsrc.experiments import load_or_train, load_recorded, main
from nbsrc.experiments.campaign import Campaign
from tests.experiments.small import Write, changed


def outcome(results: dict) -> list:
    return [(run["label"], run["seed"], run["history"], run["measures"]) for run in results["runs"]]


def collected(write: Write, tier: str) -> tuple[Path, Path]:
    """Train the small experiment; its file, and that of the collected runs."""
    path = write()
    output = path.parent / "collected" / "small.json"
    folder = str(path.parent / "runs")
    assert main([str(path), "--tier", tier, "--folder", folder, "--output", str(output)]) == 0
    return path, output


def test_the_command_writes_what_load_or_train_takes(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, output = collected(write, "smoke")
    written = json.loads(output.read_text(encoding="utf-8")) | {"seconds": 1e6}
    output.write_text(json.dumps(written), encoding="utf-8")
    monkeypatch.setenv("NBSRC_RUNS_DIR", str(output.parent))
    assert load_or_train("small", "smoke", folder=path.parent) == written  # with times: it was read
    monkeypatch.delenv("NBSRC_RUNS_DIR")
    trained = load_or_train("small", "smoke", folder=path.parent)
    assert trained["seconds"] < 1e6
    assert outcome(trained) == outcome(written)


@pytest.mark.parametrize("trouble", ["no file", "not JSON", "a list", "settings", "tier", "runs"])
def test_results_that_do_not_fit_are_not_used(
    write: Write, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    path, output = collected(write, "smoke")
    good = json.loads(output.read_text(encoding="utf-8"))
    monkeypatch.setenv("NBSRC_RUNS_DIR", str(output.parent))
    monkeypatch.setattr(loading, "collect", lambda campaign: {"trained": campaign.tier})
    monkeypatch.setattr(loading.Campaign, "run_missing", lambda campaign: 0)
    if trouble == "settings":
        write(changed("training", "momentum", to=0.5))
    texts = {
        "not JSON": "{",
        "a list": "[]",
        "tier": json.dumps(good | {"tier": "book"}),
        "runs": json.dumps(good | {"missing": [{"label": "reference", "seed": 0}]}),
    }
    if trouble == "no file":
        output.unlink()
    elif trouble in texts:
        output.write_text(texts[trouble], encoding="utf-8")
    assert load_or_train("small", "smoke", folder=path.parent) == {"trained": "smoke"}


def test_other_seeds_repeat_the_experiment(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the first seed 1 are the second ones of two, and runs of seed 0 are not taken."""
    path, output = collected(write, "book")
    two = json.loads(output.read_text(encoding="utf-8"))
    monkeypatch.setenv("NBSRC_RUNS_DIR", str(output.parent))
    shifted = load_or_train("small", "book", first_seed=1, folder=path.parent)
    assert {run["seed"] for run in shifted["runs"]} == {1, 2}
    common = [[run for run in results["runs"] if run["seed"] == 1] for results in (two, shifted)]
    assert common[0]
    assert outcome({"runs": common[0]}) == outcome({"runs": common[1]})
    arguments = ["--first-seed", "1", "--jobs", "2", "--output", str(output)]
    arguments += ["--folder", str(path.parent / "runs")]
    assert main([str(path), "--tier", "book", *arguments]) == 0
    written = json.loads(output.read_text(encoding="utf-8")) | {"seconds": 1e6}
    output.write_text(json.dumps(written), encoding="utf-8")
    assert load_or_train("small", "book", first_seed=1, folder=path.parent) == written


def test_recorded_results_are_read(tmp_path: Path) -> None:
    assert load_recorded("small", folder=tmp_path) is None
    (tmp_path / "small.json").write_text('{"runs": []}')
    assert load_recorded("small", folder=tmp_path) == {"runs": []}


def test_failures_are_messages_and_leave_no_file(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(changed("tiers", "paper", "train_images", to=99999))
    output = path.parent / "out.json"
    end = ["--output", str(output), "--folder", str(path.parent / "runs")]
    with caplog.at_level(logging.INFO, "nbsrc"):
        assert main([str(path.parent / "none.yml"), *end]) == 1
        assert main([str(path), "--tier", "paper", *end]) == 1
        assert main([str(path), "--tier", "huge", *end]) == 1
        assert main([str(path), "--tier", "smoke", "--only", "x*", *end]) == 1
        assert main([str(path), "--tier", "smoke", "--only", "*", "--only", "y*", *end]) == 1
        assert main([str(path), "--tier", "smoke", "--jobs", "0", *end]) == 1
        assert main([str(path), "--tier", "smoke", "--device", "gpu", *end]) == 1
    assert "none.yml" in caplog.text
    assert "got 99999" in caplog.text
    assert "tier must be one of ('smoke', 'book', 'paper', 'short'), got 'huge'" in caplog.text
    assert "only ['x*'] fits no run; there are ['reference'," in caplog.text
    assert "only ['y*'] fits no run" in caplog.text
    assert "jobs and threads must be at least 1" in caplog.text
    assert "device must be one of ('cpu'" in caplog.text
    assert "on this machine, got 'gpu'" in caplog.text
    assert not output.exists()


def test_a_list_runs_nothing(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write()
    with caplog.at_level(logging.INFO, "nbsrc"):
        folder = str(path.parent / "runs")
        assert main([str(path), "--tier", "short", "--list", "--folder", folder]) == 0
    assert "small short: 5 of 5 runs to do" in caplog.text
    assert "  Curvature 0.1, seed 0" in caplog.text
    assert not (path.parent / "runs").exists()


def test_an_interrupted_command_says_what_to_do(
    write: Write, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = write()
    monkeypatch.setattr(Campaign, "run_missing", interrupt)
    with caplog.at_level(logging.INFO, "nbsrc"):
        assert main([str(path), "--tier", "smoke", "--folder", str(path.parent / "runs")]) == 130
    assert "interrupted: the same command goes on" in caplog.text


def test_bad_arguments_are_named(write: Write) -> None:
    folder = write().parent
    with pytest.raises(ValueError, match=r"tier must be one of .* got 'huge'"):
        load_or_train("small", "huge", folder=folder)
    with pytest.raises(ValueError, match="first_seed must be 0 or more, got -1"):
        load_or_train("small", "smoke", first_seed=-1, folder=folder)
    with pytest.raises(FileNotFoundError, match=r"one of \['small'\], got 'other'"):
        load_or_train("other", "smoke", folder=folder)
