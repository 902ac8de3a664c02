"""Command line: ``python -m nbsrc run | build | book | train | ledger | seeds | data``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nbsrc.building.layout import TIERS, Layout
from nbsrc.building.processes import die_with_build
from nbsrc.files import project_root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands.

    Args:
        argv: Arguments; those of the process when None.

    Returns:
        Exit status: 0, 1 when the work failed, 2 when the arguments are wrong.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _log_to_terminal()
    die_with_build()  # a build that was killed must not leave its jobs running
    own: dict[str, Callable[[list[str]], int]] = {
        "train": _train, "ledger": _ledger, "seeds": _seeds, "data": _data,
    }  # fmt: skip
    if arguments and arguments[0] in own:
        return own[arguments[0]](arguments[1:])
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _log_to_terminal() -> None:
    """Show this package's messages; Snakemake's go through `nbsrc.building.progress`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("nbsrc")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a library that sets up the root logger must not show them twice


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nbsrc",
        description="Run notebooks, train, check the ledger, build the book.",
        epilog="train, ledger, seeds and data have their own help: python -m nbsrc train --help",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="bring the book up to date (make book)")
    build.add_argument("targets", nargs="*", help="files or rules of the Snakefile")
    build.add_argument("--cores", type=int, help="processor cores (default: all)")
    build.add_argument(
        "--snakemake", default="", metavar="ARGS", help="further Snakemake arguments, in one string"
    )
    _add_size(build)
    build.set_defaults(command=_build)
    run = commands.add_parser("run", help="run one notebook, with its parameters checked")
    run.add_argument("notebook", type=Path)
    run.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters"
    )
    run.add_argument("--output", type=Path, help="executed notebook")
    run.add_argument("--evidence", type=Path, help="evidence of its checks (JSON)")
    run.add_argument("--status", type=Path, help="time, checks and environment (JSON)")
    run.add_argument("--figure-data", type=Path, help="folder for the figures' data")
    run.add_argument("--log", type=Path, help="log with a line per cell")
    run.add_argument("--timeout", type=float, help="seconds for the whole notebook")
    run.add_argument("--threads", type=int, help="threads of the numerical libraries")
    _add_size(run)
    run.set_defaults(command=_run)
    own = {
        "train": "train an experiment",
        "ledger": "check the ledger",
        "seeds": "compare evidence of another seed with the ledger",
    }
    for name, text in own.items():
        commands.add_parser(name, help=text)
    commands.add_parser("data", help="where the data sets are looked for")
    book = commands.add_parser("book", help="typeset the book only (a step of build)")
    book.add_argument("--stamp", type=Path, help="file written when the book is finished")
    book.set_defaults(command=_book)
    return parser


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tier", help=f"{', '.join(TIERS)} (default: book)")
    parser.add_argument("--seed", help="default: 0")


def _build(options: argparse.Namespace) -> int:
    import shlex

    from nbsrc.building.workflow import build

    try:
        success = build(
            Layout(project_root()),
            targets=options.targets,
            tier=options.tier or "book",
            seed=int(options.seed or 0),
            cores=options.cores,
            further=shlex.split(options.snakemake),
        )
    except (OSError, ValueError, TypeError) as error:  # a source that cannot be read
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if success else 1


def _run(options: argparse.Namespace) -> int:
    from nbsrc.building.parameters import parse_value
    from nbsrc.building.runner import NotebookError, Request, run_notebook
    from nbsrc.building.source import read_source
    from nbsrc.building.store import Targets

    layout = Layout(project_root())
    given = {name: parse_value(value) for name, value in options.parameters}
    given |= {
        name: parse_value(getattr(options, name))
        for name in ("tier", "seed")
        if getattr(options, name)
    }
    try:
        source = read_source(options.notebook)
        usual = layout.targets(source.stem)
        request = Request(
            notebook=options.notebook,
            parameters=given,
            targets=Targets(
                output=options.output or usual.output,
                evidence=options.evidence or usual.evidence,
                status=options.status or usual.status,
                figure_data=options.figure_data or usual.figure_data,
            ),
            log=options.log or layout.logs / f"{source.stem}.log",
            timeout=options.timeout or source.settings.timeout,
            threads=options.threads or source.settings.threads,
        )
        print(run_notebook(layout, request), file=sys.stderr)
    except (NotebookError, OSError, ValueError, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _book(options: argparse.Namespace) -> int:
    from nbsrc.building.book import BookError, make_book
    from nbsrc.building.workflow import STAMP

    layout = Layout(project_root())
    try:
        make_book(layout, options.stamp or layout.root / STAMP)
    except BookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"book: {os.path.relpath(layout.html / 'index.html')}", file=sys.stderr)
    return 0


def _train(arguments: list[str]) -> int:
    from nbsrc import experiments

    return int(experiments.main(arguments) or 0)


def _ledger(arguments: list[str]) -> int:
    from nbsrc.claims import command

    return int(command.main(arguments) or 0)


def _seeds(arguments: list[str]) -> int:
    from nbsrc.claims import other_seeds

    return int(other_seeds.main(arguments) or 0)


def _data(arguments: list[str]) -> int:
    from nbsrc import data

    return int(data.main(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
