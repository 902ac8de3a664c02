"""As a script: ``python -m nbsrc train``, killed at random moments, and the same in peace.

Prints what was finished after every kill, and in what the two collected files differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from nbsrc.__main__ import main as command
from nbsrc.experiments import execute
from tests.kills import kill_until_finished

SIZES = {"epochs": 20, "tuning_epochs": 12, "train_images": 192, "test_images": 128, "attacked": 20}
EXPERIMENT: dict[str, Any] = {
    "name": "D_killed",
    "description": "Two seeds, and a regulariser that starts from the runs without.",
    "data": {"name": "digits", "classes": [1, 7, 3]},
    "model": {"name": "lenet_300_100", "width": 0.2},
    "training": {"batch_size": 32, "learning_rate": 0.05, "clip_gradient": 1.0},
    "schedule": {"kind": "StepDecay", "milestones": [5]},
    "augmentation": {"kind": "CropAndFlip", "padding": 1},
    "record": {"norms": [1, "inf"]},
    "measures": {"FGSM": {"kind": "fgsm", "eps": "16/255"}, "gaps": {"kind": "accuracy"}},
    "runs": {
        "reference": {},
        "curvature": {
            "start": "reference",
            "regularizer": {"kind": "NormDecay", "order": 1, "beta": 0.001},
        },
    },
    "tiers": {"smoke": SIZES, "book": SIZES | {"seeds": 2}, "paper": SIZES},
}


def train(file: Path, folder: Path, output: Path) -> None:
    """Run the command."""
    arguments = [str(file), "--tier", "book", "--folder", str(folder), "--output", str(output)]
    assert command(["train", *arguments]) == 0


def numbers(output: Path) -> dict[str, Any]:
    """A collected file without what differs from time to time."""
    content = json.loads(output.read_text(encoding="utf-8"))
    content.pop("provenance")
    content.pop("seconds")
    for run in content["runs"]:
        for key in ("seconds", "measure_seconds", "provenance"):
            run.pop(key, None)
    return dict(content)


def main(folder: Path, seed: int) -> None:
    """Run both and compare."""
    execute._CHECKPOINT_SHARE = 1.0  # keep every epoch, so that runs go on in the middle
    file = folder / "D_killed.yml"
    file.write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False), encoding="utf-8")
    peace, store = folder / "peace", folder / "store"
    store.mkdir()
    train(file, peace, folder / "peace.json")
    finished: list[dict[str, str]] = []

    def note() -> None:
        records = sorted(store.rglob("*.json"))
        finished.append({path.name: path.read_text(encoding="utf-8") for path in records})

    output = folder / "killed.json"
    kill_until_finished(
        lambda: train(file, store, output), store, kills=8, longest=0.3, seed=seed, note=note
    )
    last = {path.name: path.read_text(encoding="utf-8") for path in store.rglob("*.json")}
    told = {
        "finished": [len(records) for records in finished],
        "kept": all(last[name] == text for records in finished for name, text in records.items()),
        "runs": len(last),
        "same": numbers(output) == numbers(folder / "peace.json"),
        "leftovers": [path.name for path in store.rglob("*.checkpoint")],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
