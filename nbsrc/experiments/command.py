"""Run what is missing of an experiment, and collect its runs in one file."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from nbsrc.experiments.campaign import Campaign
from nbsrc.experiments.collected import collect, recorded_text
from nbsrc.experiments.plan import ExperimentPlan, read_plan
from nbsrc.experiments.restoring import restore
from nbsrc.experiments.store import RunStore, code_digest
from nbsrc.files import project_root, write_text_atomic

__all__ = ["main"]

log = logging.getLogger(__name__)
_LIVE = ("smoke", "book")


def main(argv: Sequence[str]) -> int:
    """Run an experiment file (``python -m nbsrc train``).

    Runs that are finished stay; a killed run goes on from its last epoch. At the tiers smoke and
    book a finished run is done again when the code has changed; at the others, whose runs take
    hours, it is kept, and the collected file says which code made it. ``--restore`` goes on where a
    recorded file ends, on a machine that has nothing but that file.

    Args:
        argv: The command's arguments.

    Returns:
        The exit status, 1 if the experiment cannot run; the reason is logged. 130 after Ctrl-C.
    """
    options = _parser().parse_args(argv)
    try:
        plan = read_plan(options.experiment)
        plan.sizes(options.tier)
        return _train(plan, options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        log.error("%s", error)  # noqa: TRY400 - a message, not a traceback
        return 1
    except KeyboardInterrupt:
        log.info("interrupted: the same command goes on where this one stopped")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nbsrc train", description=__doc__)
    parser.add_argument("experiment", type=Path, help="experiment file, experiments/NAME.yml")
    parser.add_argument("--tier", default="book", help="smoke, book, paper or one of the file's")
    parser.add_argument("--output", type=Path, help="collect the runs in this JSON file")
    parser.add_argument("--digits", type=int, help="significant digits in it (results/: 6)")
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="runs whose label (or file name) fits, repeatable",
    )
    parser.add_argument(
        "--first-seed", type=int, default=0, help="the runs have this seed and the next ones"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1, ...")
    parser.add_argument("--threads", type=int, help="threads of torch per process")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the runs")
    parser.add_argument("--folder", type=Path, help="folder of the runs (default: build/runs)")
    parser.add_argument(
        "--new-code", action="store_true", help="do runs again that other code has made"
    )
    parser.add_argument(
        "--restore",
        type=Path,
        metavar="RECORD",
        help="first take the finished runs of a collected file, such as results/NAME.json",
    )
    parser.add_argument("--list", action="store_true", help="list the runs to do, and stop")
    return parser


def _train(plan: ExperimentPlan, options: argparse.Namespace) -> int:
    """Run, list or collect.

    Returns:
        The exit status.

    Raises:
        ValueError: If a pattern fits no run, or a number is too small.
    """
    if options.jobs < 1 or (options.threads is not None and options.threads < 1):
        raise ValueError("jobs and threads must be at least 1")
    _check_device(options.device)
    fresh = options.tier in _LIVE or options.new_code
    folder = options.folder or project_root() / "build" / "runs"
    store = RunStore(folder / options.tier / plan.name, code_digest() if fresh else None)
    campaign = Campaign(plan, options.tier, store, options.device, options.first_seed)
    only = options.only or ["*"]
    for pattern in only:
        if not any(campaign.jobs([pattern])):
            raise ValueError(f"only {[pattern]} fits no run; there are {list(campaign.runs)}")
    jobs = list(campaign.jobs(only))
    if options.restore is not None:
        log.info("%d runs taken from %s", restore(campaign, options.restore), options.restore)
    left = [job for job in jobs if campaign.finished(*job) is None]
    log.info("%s %s: %d of %d runs to do", plan.name, options.tier, len(left), len(jobs))
    if options.list:
        for run, seed in left:
            log.info("  %s, seed %d", run.label, seed)
        return 0
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    status = 0
    if options.jobs > 1 and left:
        status = _share(options)
    elif left:
        campaign.run_missing(only)
    if options.output is not None:
        results = collect(campaign)
        write_text_atomic(options.output, recorded_text(results, options.digits))
        done, missing = len(results["runs"]), len(results["missing"])
        log.info("%s written: %d runs, %d missing", options.output, done, missing)
    return status


def _check_device(device: str) -> None:
    """Refuse a device that does not exist here.

    Raises:
        ValueError: If it is no CPU and no GPU of this machine.
    """
    numbered = tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))
    allowed = ("cpu", "cuda", *numbered) if numbered else ("cpu",)
    if device not in allowed:
        raise ValueError(f"device must be one of {allowed} on this machine, got {device!r}")


def _share(options: argparse.Namespace) -> int:
    """Let several processes do the work; each takes the next run that no other one holds."""
    command = [sys.executable, "-m", "nbsrc", "train", str(options.experiment)]
    command += ["--tier", options.tier, "--device", options.device]
    command += ["--first-seed", str(options.first_seed)]
    command += [part for pattern in options.only or [] for part in ("--only", pattern)]
    command += ["--threads", str(options.threads)] if options.threads else []
    command += ["--folder", str(options.folder)] if options.folder else []
    command += ["--new-code"] if options.new_code else []
    workers = [subprocess.Popen(command) for _ in range(options.jobs)]
    return max(worker.wait() for worker in workers)
