"""A recorded file is enough to go on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.collected import collect, recorded_text
from nbsrc.experiments.command import main
from nbsrc.experiments.plan import read_plan
from nbsrc.experiments.restoring import restore
from nbsrc.experiments.store import RunStore
from tests.experiments.small import Write, changed


def campaign_in(folder: Path, path: Path, tier: str = "smoke") -> Campaign:
    return Campaign(read_plan(path), tier, RunStore(folder))


@pytest.fixture
def recorded(write: Write, tmp_path: Path) -> Path:
    """Two of the five runs, with six digits."""
    campaign = campaign_in(tmp_path / "first", write())
    campaign.run_missing(["reference", "Curvature 1"])
    path = tmp_path / "record.json"
    path.write_text(recorded_text(collect(campaign), 6), encoding="utf-8")
    return path


def test_what_is_collected_again_is_the_same(recorded: Path, write: Write, tmp_path: Path) -> None:
    second = campaign_in(tmp_path / "second", write())
    assert restore(second, recorded) == 2
    assert recorded_text(collect(second), 6) == recorded_text(
        json.loads(json.dumps(collect(campaign_in(tmp_path / "first", write())))), 6
    )
    assert restore(second, recorded) == 0


def test_only_what_is_missing_runs_and_its_start_for_the_weights(
    recorded: Path, write: Write, tmp_path: Path
) -> None:
    second = campaign_in(tmp_path / "second", write())
    restore(second, recorded)
    kept = second.store.record("curvature-1-s0").read_bytes()
    before = collect(second)["runs"][0]
    second.run_missing()
    results = collect(second)
    assert results["missing"] == []
    assert second.store.record("curvature-1-s0").read_bytes() == kept
    again = results["runs"][0]
    assert second.store.weights("reference-s0").is_file()
    digits = {key: float(f"{value:.6g}") for key, value in again["measures"]["gaps"].items()}
    assert digits == before["measures"]["gaps"]


def test_a_start_that_nothing_missing_needs_is_left_alone(write: Write, tmp_path: Path) -> None:
    first = campaign_in(tmp_path / "first", write())
    first.run_missing()
    first.store.weights("reference-s0").unlink()
    assert first.run_missing() == 0
    first.store.record("curvature-1-s0").unlink()
    assert first.run_missing() == 2
    assert first.store.weights("reference-s0").is_file()


def test_a_run_with_other_settings_is_left_out(
    recorded: Path, write: Write, tmp_path: Path
) -> None:
    other = changed("tiers", "smoke", "epochs", to=2)
    campaign = campaign_in(tmp_path / "other", write(other))
    with pytest.raises(ValueError, match="no run has the settings of small at this tier"):
        restore(campaign, recorded)
    assert not list((tmp_path / "other").glob("*.json"))


def test_settings_stay_as_they_were_written(recorded: Path, write: Write, tmp_path: Path) -> None:
    results = json.loads(recorded.read_text(encoding="utf-8"))
    for run in results["runs"]:
        del run["settings"]["precision"]  # as if the option had come later
    recorded.write_text(json.dumps(results), encoding="utf-8")
    second = campaign_in(tmp_path / "second", write())
    restore(second, recorded)
    assert all("precision" not in run["settings"] for run in collect(second)["runs"])


def test_what_is_stored_already_stays(recorded: Path, write: Write, tmp_path: Path) -> None:
    first = campaign_in(tmp_path / "first", write())
    before = first.store.record("reference-s0").read_bytes()
    assert restore(first, recorded) == 0
    assert first.store.record("reference-s0").read_bytes() == before


def test_another_tier_or_file_is_refused(recorded: Path, write: Write, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tier must be 'book', got 'smoke'"):
        restore(campaign_in(tmp_path / "book", write(), "book"), recorded)
    with pytest.raises(FileNotFoundError):
        restore(campaign_in(tmp_path / "none", write()), tmp_path / "none.json")


def test_the_command(recorded: Path, write: Write, tmp_path: Path) -> None:
    output = tmp_path / "all.json"
    arguments = [str(write()), "--tier", "smoke", "--folder", str(tmp_path / "runs"), "--list"]
    assert main([*arguments, "--restore", str(recorded), "--output", str(output)]) == 0
    assert len(list((tmp_path / "runs" / "smoke" / "small").glob("*-s0.json"))) == 2
    assert main([*arguments, "--restore", str(tmp_path / "none.json")]) == 1
