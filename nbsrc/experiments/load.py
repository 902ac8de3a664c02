"""Results for notebooks: finished runs, trained now if they are not there, and recorded ones."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.collected import collect, mismatches, read_recorded
from nbsrc.experiments.plan import read_plan
from nbsrc.experiments.store import RunStore, code_digest
from nbsrc.files import project_root

__all__ = ["load_or_train", "load_recorded"]

log = logging.getLogger(__name__)


def load_or_train(
    name: str, tier: str, *, first_seed: int = 0, folder: Path | None = None
) -> dict[str, Any]:
    """Return the results of an experiment: finished ones if they are there, else train now.

    Finished results are those in ``$NBSRC_RUNS_DIR/<name>.json``, if they are complete and fit
    the experiment file, the tier and the seeds. Training goes on in a temporary folder; nothing
    else is written.

    Args:
        name: The experiment's name, as in ``experiments/<name>.yml``.
        tier: ``"smoke"``, ``"book"``, ``"paper"`` or a further tier of the file.
        first_seed: The first of the seeds of every run; other seeds repeat the experiment.
        folder: The folder of the experiment files, by default the project's.

    Returns:
        The results, see :func:`nbsrc.experiments.collected.collect`.

    Raises:
        FileNotFoundError: If there is no such experiment.
        ValueError: If the experiment file breaks its schema or has no such tier, or the seed is
            negative.
    """
    plan = read_plan(_file(name, folder))
    plan.sizes(tier)
    with tempfile.TemporaryDirectory() as scratch:
        store = RunStore(Path(scratch), code_digest())
        campaign = Campaign(plan, tier, store, first_seed=first_seed)
        finished = _finished(campaign)
        if finished is not None:
            return finished
        campaign.run_missing()
        return collect(campaign)


def load_recorded(name: str, *, folder: Path | None = None) -> dict[str, Any] | None:
    """Return the recorded results of an experiment, ``results/<name>.json``.

    Args:
        name: The experiment's name.
        folder: The folder of the results, by default the project's.

    Returns:
        The results, None if nothing is recorded.
    """
    where = project_root() / "results" if folder is None else folder
    path = where / f"{name}.json"
    if not path.is_file():
        return None
    return read_recorded(path.read_text(encoding="utf-8"))


def _file(name: str, folder: Path | None) -> Path:
    """Return the experiment file of a name.

    Raises:
        FileNotFoundError: If there is none.
    """
    where = project_root() / "experiments" if folder is None else folder
    path = where / f"{name}.yml"
    if not path.is_file():
        known = sorted(file.stem for file in where.glob("*.yml"))
        raise FileNotFoundError(f"name must be that of an experiment, one of {known}, got {name!r}")
    return path


def _finished(campaign: Campaign) -> dict[str, Any] | None:
    """Return finished results of this plan and tier, None if there are none."""
    folder = os.environ.get("NBSRC_RUNS_DIR")
    path = Path(folder or ".") / f"{campaign.plan.name}.json"
    if not folder or not path.is_file():
        return None
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fits = not results["missing"] and not mismatches(campaign, results)
    except (ValueError, KeyError, TypeError):
        log.warning("%s holds no results: training again", path)
        return None
    if not fits:
        log.warning("%s was made from another experiment file, tier or seeds: training again", path)
        return None
    return results
