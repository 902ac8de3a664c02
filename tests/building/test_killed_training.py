"""kill -9 of a build while it trains: the next one does only what was unfinished.

Kills during notebooks and typesetting are in test_workflow.
"""

import json
import shutil
import time

import psutil
import pytest

from nbsrc.files import project_root

RUNS = "build/runs/book/A_tiny"
COLLECTED = f"{RUNS}.json"
LOG = "build/logs/train_A_tiny.log"
SIZES = "{epochs: 25, train_images: 256, test_images: 64}"
EXPERIMENT = f"""
name: A_tiny
description: Two runs, one after the other.
data: {{name: digits}}
model: {{name: digits_cnn}}
training: {{batch_size: 16, learning_rate: 0.02}}
runs:
  first: {{}}
  second: {{training: {{weight_decay: 0.01}}}}
tiers: {{smoke: {SIZES}, book: {SIZES}, paper: {SIZES}}}
"""


@pytest.fixture
def project(tiny_project):
    """The tiny project with the real package but for its ledger."""
    package = tiny_project.root / "nbsrc"
    kept = (package / "claims").rename(package / "kept")
    (package / "experiments.py").unlink(missing_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "claims")
    shutil.copytree(project_root() / "nbsrc", package, ignore=ignored, dirs_exist_ok=True)
    kept.rename(package / "claims")
    tiny_project.write("experiments/A_tiny.yml", EXPERIMENT)
    return tiny_project


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_killed_training_goes_on_and_finished_runs_stay(project):
    runs = project.root / RUNS
    process = project.start("build", "--cores", "1", COLLECTED)
    wait_for(lambda: list(runs.glob("second-*.checkpoint")), process)
    started = psutil.Process(process.pid).children(recursive=True)
    for each in (process, *started):  # that orphans end by themselves is tested in test_workflow
        each.kill()
    process.wait()
    psutil.wait_procs(started, timeout=10)
    first = (runs / "first-s0.json").read_bytes()
    assert not (runs / "second-s0.json").exists()
    assert not (project.root / COLLECTED).exists()

    status, output = project.call("build", "--cores", "1", COLLECTED)
    assert status == 0, output
    assert (runs / "first-s0.json").read_bytes() == first
    log = project.read(LOG)
    assert "1 of 2 runs to do" in log
    assert log.count("going on after epoch") == 1
    collected = json.loads(project.read(COLLECTED))
    assert [run["label"] for run in collected["runs"]] == ["first", "second"]
    assert [len(run["history"]) for run in collected["runs"]] == [26, 26]
    assert not list(runs.glob("*.checkpoint"))
    assert "train book A_tiny" in output
