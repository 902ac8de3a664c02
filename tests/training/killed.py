"""As a script: a long run, killed at random moments, and the same run in peace.

Prints the number of finished epochs after every kill, then whether all numbers are the same.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from nbsrc.training import TrainingSettings
from tests.kills import kill_until_finished
from tests.training import runs

EPOCHS = 30


def run(checkpoint: Path | None, result: Path) -> None:
    """Train, and write weights, records and the generator's state."""
    settings = TrainingSettings(EPOCHS, batch_size=28, weight_decay=1e-3, clip_gradient=1.0)
    name = None if checkpoint is None else str(checkpoint)
    net, history, generator = runs.whole_run(name, settings=settings)
    rows = [[r.epoch, r.train_loss, r.test_loss, r.test_accuracy, r.recorded] for r in history]
    torch.save({"net": net.state_dict(), "rows": rows, "rng": generator.get_state()}, result)


def same(one: object, two: object) -> bool:
    """Whether two nested results are equal to the last bit."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same, one, two))
    return one == two


def main(folder: Path, seed: int) -> None:
    """Run both and compare; the one in peace goes first, so that forks find all modules loaded."""
    store = folder / "store"
    store.mkdir()
    checkpoint, result, peace = store / "run.pt", folder / "result.pt", folder / "peace.pt"
    epochs: list[int] = []
    run(None, peace)

    def note() -> None:
        kept = torch.load(checkpoint, weights_only=True)
        epochs.append(len(kept["history"]) - 1)

    kill_until_finished(
        lambda: run(checkpoint, result), store, kills=7, longest=0.1, seed=seed, note=note
    )
    results = [torch.load(file, weights_only=True) for file in (result, peace)]
    sys.stdout.write(json.dumps({"epochs": epochs, "same": same(*results)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
