"""Runs are done once, in order, by one process or several, and survive what is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nbsrc.experiments import read_plan
from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.collected import collect, mismatches, read_recorded, recorded_text
from nbsrc.experiments.store import RunStore, code_digest
from nbsrc.files import project_root
from tests.experiments.small import CONTENT, Write, changed


def campaign(path: Path, tier: str = "smoke", code: str | None = None) -> Campaign:
    return Campaign(read_plan(path), tier, RunStore(path.parent / "runs" / tier, code))


def numbers(results: dict) -> list[dict]:
    """What must repeat: everything but times."""
    times = ("seconds", "measure_seconds", "provenance")
    return [{k: v for k, v in run.items() if k not in times} for run in results["runs"]]


def test_a_record_holds_settings_history_measures_and_provenance(write: Write) -> None:
    small = campaign(write())
    assert small.run_missing() == 5
    results = collect(small)
    assert results["missing"] == []
    assert results["data"] == {"name": "digits", "classes": [1, 7]}
    assert (results["sizes"]["train_images"], results["sizes"]["test_images"]) == (40, 20)
    reference, first = results["runs"][:2]
    assert [row["epoch"] for row in reference["history"]] == [0, 1]
    assert len(reference["history"][0]["norms"]) == 3
    assert all(row["l1"] > 0 and row["l2_lower"] for row in reference["history"][0]["norms"])
    assert first["label"] == "JacobianPenalty 0.1"
    assert first["axes"] == {"penalty": "JacobianPenalty", "strength": 0.1}
    assert first["regularizer"] == [{"kind": "JacobianPenalty", "strength": 0.1}]
    assert first["settings"]["learning_rate"] == 0.05
    assert first["measures"]["FGSM"]["points"] == 5
    assert {"code", "commit", "data", "versions"} <= set(results["provenance"][0])
    assert mismatches(small, results) == []
    json.dumps(results, allow_nan=False)


def test_a_run_starts_from_the_weights_of_its_start(write: Write) -> None:
    small = campaign(write())
    small.run_missing()
    reference, tuned = (run["history"] for run in collect(small)["runs"][:2])
    assert tuned[0]["test_loss"] == reference[-1]["test_loss"]
    assert tuned[-1]["test_loss"] != reference[-1]["test_loss"]
    files = {path.name for path in small.store.folder.iterdir()}
    assert "reference-s0.weights.pt" in files
    assert not any(name.endswith(".checkpoint") for name in files)
    assert not any(name.startswith("curvature") and name.endswith(".pt") for name in files)


def test_seeds_differ_and_repeat(write: Write) -> None:
    book = campaign(write(), "book")
    book.run_missing(["reference"])
    first = numbers(collect(book))
    assert [run["seed"] for run in first] == [0, 1]
    assert first[0]["history"] != first[1]["history"]
    for path in book.store.folder.glob("*.json"):
        path.unlink()
    book.run_missing(["reference"])
    assert numbers(collect(book)) == first


def test_finished_runs_stay_and_only_what_changed_is_run_again(write: Write) -> None:
    path = write()
    small = campaign(path)
    small.run_missing()
    assert campaign(path).run_missing() == 0
    record = small.store.record("reference-s0").read_bytes()
    added = changed("runs", "more", to={"training": {"momentum": 0.5}})
    assert campaign(write(added)).run_missing() == 1
    assert small.store.record("reference-s0").read_bytes() == record
    # a change of the start is a change of everything that starts from it
    other = changed("runs", "reference", to={"training": {"momentum": 0.5}})
    assert campaign(write(other)).run_missing() == 5


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("data", "classes"), [7, 1]),
        (("tiers", "smoke", "train_images"), 41),
        (("tiers", "smoke", "attacked"), 4),
        (("measures", "FGSM", "eps"), 0.1),
        (("record", "end_norms"), []),
        (("model", "width"), 0.2),
        (("schedule",), {"kind": "InverseDecay"}),
    ],
)
def test_the_identity_follows_everything_that_decides_numbers(
    write: Write, keys: tuple[str, ...], value: object
) -> None:
    before = campaign(write())
    first = before.identity(before.runs["Curvature 1"], 0)
    assert first != before.identity(before.runs["Curvature 1"], 1)
    after = campaign(write(changed(*keys, to=value)))
    assert after.identity(after.runs["Curvature 1"], 0) != first
    words = campaign(write(changed("description", to="Other words.")))
    assert words.identity(words.runs["Curvature 1"], 0) == first


def test_other_code_counts_only_where_it_is_asked_for(write: Write) -> None:
    path = write()
    assert campaign(path, code=code_digest()).run_missing(["reference"]) == 1
    assert campaign(path, code=code_digest()).run_missing(["reference"]) == 0
    assert campaign(path, code=None).run_missing(["reference"]) == 0
    assert campaign(path, code="other").finished(campaign(path).runs["reference"], 0) is None


def test_a_damaged_record_is_run_again(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    small = campaign(write())
    small.run_missing(["reference"])
    small.store.record("reference-s0").write_text("{")
    with caplog.at_level("WARNING", "nbsrc"):
        assert small.run_missing(["reference"]) == 1
    assert "reference-s0.json is not JSON: running again" in caplog.text


def test_a_diverging_run_is_a_result_and_so_are_those_that_start_from_it(write: Write) -> None:
    small = campaign(write(changed("training", "learning_rate", to=1e30)))
    assert small.run_missing() == 5
    results = collect(small)
    assert {run["status"] for run in results["runs"]} == {"diverged"}
    reference, tuned = results["runs"][:2]
    assert "diverged" in reference["message"]
    assert (reference["measures"], len(reference["history"])) == ({}, 1)
    assert tuned["message"] == "the run it starts from, 'reference', diverged"
    assert not list(small.store.folder.glob("*.pt"))
    assert mismatches(small, results) == []


def test_a_start_whose_weights_are_gone_is_run_again_and_not_taken_for_diverged(
    write: Write,
) -> None:
    small = campaign(write())
    small.run_missing()
    before = numbers(collect(small))
    small.store.weights("reference-s0").unlink()
    small.store.record("curvature-1-s0").unlink()
    assert small.run_missing() == 2
    assert numbers(collect(small)) == before


def test_a_finished_run_that_becomes_a_start_is_run_again_for_its_weights(write: Write) -> None:
    content = changed("runs", to={"reference": {}})
    content["tiers"]["book"]["runs"] = ["reference"]
    assert campaign(write(content)).run_missing() == 1
    content["runs"]["tuned"] = {"start": "reference"}
    small = campaign(write(content))
    assert small.run_missing() == 2
    assert {run["status"] for run in collect(small)["runs"]} == {"finished"}


def test_two_processes_share_the_runs(write: Write) -> None:
    path = write()
    folder = path.parent / "runs"
    command = [sys.executable, "-m", "nbsrc", "train", str(path), "--tier", "smoke"]
    output = path.parent / "out.json"
    command += ["--folder", str(folder), "--output", str(output), "--threads", "1", "--jobs", "2"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=project_root())
    assert done.returncode == 0, done.stderr
    both = json.loads(output.read_text())
    assert both["missing"] == []
    assert done.stderr.count("done here") == 5  # none was done twice
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = Campaign(read_plan(path), "smoke", RunStore(path.parent / "alone"))
        alone.run_missing()
    finally:
        torch.set_num_threads(torch_threads)
    assert numbers(collect(alone)) == numbers(both)


def test_a_run_held_by_another_process_is_waited_for(write: Write) -> None:
    small = campaign(write())
    run = small.runs["reference"]
    with small.store.claimed("reference-s0", wait=False) as mine:
        assert mine
        script = (
            "import sys; from pathlib import Path; from nbsrc.experiments.store import RunStore\n"
            "with RunStore(Path(sys.argv[1])).claimed('reference-s0', wait=False) as mine:\n"
            "    sys.exit(10 + mine)"
        )
        arguments = [sys.executable, "-c", script, str(small.store.folder)]
        assert subprocess.run(arguments, check=False, cwd=project_root()).returncode == 10
    assert subprocess.run(arguments, check=False, cwd=project_root()).returncode == 11
    assert small.finished(run, 0) is None


def test_mismatches_are_named(write: Write) -> None:
    small = campaign(write())
    small.run_missing()
    results = collect(small)
    fewer = results | {"runs": results["runs"][1:]}
    assert mismatches(small, fewer) == ["'reference', seed 0, is missing untold"]
    told = fewer | {"missing": [{"label": "reference", "seed": 0}]}
    assert mismatches(small, told) == []
    more = results | {"runs": [*results["runs"], results["runs"][0] | {"seed": 9}]}
    assert mismatches(small, more) == ["'reference', seed 9, is no run of this tier"]
    assert mismatches(small, results | {"tier": "book"}) == ["tier is 'book' and not 'smoke'"]
    other = campaign(write(changed("measures", "FGSM", "eps", to=0.3)))
    assert len(mismatches(other, results)) == 5


def test_a_collected_file_may_keep_the_ends_of_histories_only(write: Write) -> None:
    table = changed("record", "history", to="ends")
    table["tiers"]["smoke"]["epochs"] = 3
    small = campaign(write(table))
    small.run_missing(["reference"])
    (run,) = collect(small)["runs"]
    assert [row["epoch"] for row in run["history"]] == [0, 3]
    assert len(collect(small)["missing"]) == 4


def test_a_checkpoint_of_other_settings_is_not_used(write: Write) -> None:
    small = campaign(write())
    run = small.runs["reference"]
    name = small.store.checkpoint("reference-s0", small.identity(run, 0))
    other = small.store.checkpoint("reference-s0", small.identity(run, 1))
    assert name != other
    code = RunStore(small.store.folder, "c").checkpoint("reference-s0", small.identity(run, 0))
    assert code != name
    assert CONTENT["name"] in str(write())


def test_a_recorded_file_has_a_line_per_run_and_few_digits(write: Write) -> None:
    small = campaign(write())
    small.run_missing(["reference"])
    results = collect(small)
    assert read_recorded(recorded_text(results)) == results
    assert read_recorded(recorded_text(results, 17)) == results
    short = read_recorded(recorded_text(results, 3))
    assert mismatches(small, short) == []
    ours, full = (r["runs"][0]["measures"]["gaps"]["test_loss"] for r in (short, results))
    assert ours == float(f"{full:.3g}") != full
    lines = recorded_text(results, 3).splitlines()
    assert sum('"label": "reference", "' in line for line in lines) == 1


def test_runs_without_a_number_stay_without_it_when_recorded(write: Write) -> None:
    small = campaign(write(changed("runs", "Curvature lost", to={"measures": {}})))
    small.run_missing(["reference", "Curvature lost"])
    results = collect(small)
    results["runs"][1]["measures"] = {"gaps": {"test_loss": None, "more": {}}}
    assert read_recorded(recorded_text(results, 17)) == results
