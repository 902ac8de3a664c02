"""kill -9 at random moments of a training loses at most the epoch that was going on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from nbsrc.files import project_root
from tests.training import killed


def told_by(script: str, folder: Path) -> Any:
    """What a script prints that kills its own forks."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", script, str(folder), "0"],
        cwd=project_root(), env=os.environ | threads, capture_output=True, text=True, check=False,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    told = told_by("tests.training.killed", tmp_path)
    assert told["same"]
    epochs = told["epochs"]
    assert len(epochs) >= 3, "too fast to be killed"
    assert epochs == sorted(set(epochs))  # every attempt got further
    assert epochs[-1] <= killed.EPOCHS


def test_the_train_command_killed_at_random_moments_collects_the_same_numbers(
    tmp_path: Path,
) -> None:
    told = told_by("tests.training.killed_command", tmp_path)
    assert told["same"]
    assert told["kept"], "a finished run was done again"
    assert told["leftovers"] == []
    assert told["runs"] == 4
    finished = told["finished"]
    assert finished, "too fast to be killed"  # how many kills hit depends on the machine
    assert finished == sorted(finished)
    assert finished[0] < 4


def test_a_difference_in_one_bit_would_be_seen() -> None:
    import torch

    one = {"rows": [[0, None, 1.0, torch.ones(2)]]}
    two = {"rows": [[0, None, 1.0, torch.tensor([1.0, 1.0 + 2**-23])]]}
    assert killed.same(one, one)
    assert not killed.same(one, two)
    assert not killed.same(one, {"rows": [[0, None, 1.0 + 2**-52, torch.ones(2)]]})
