"""Say which data sets are found where, download one, or check them (``python -m nbsrc data``)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from nbsrc.data.errors import DamagedDataError, MissingDataError
from nbsrc.data.loading import load_data
from nbsrc.data.sources import SOURCES, data_root, find_layout, missing_message

__all__ = ["main"]

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run ``python -m nbsrc data [list | fetch NAME | check [NAME]]``.

    Args:
        argv: The command's arguments.

    Returns:
        The exit status: 1 if a data set that was asked for is missing, damaged or could not be
        downloaded, 2 if the arguments are wrong (as ``SystemExit``), else 0.
    """
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    if options.download is not None:
        parser.error(f"--download is now a command: python -m nbsrc data fetch {options.download}")
    unknown = [name for name in options.names if name not in SOURCES]
    if unknown:
        parser.error(f"NAME must be one of {', '.join(SOURCES)}, got {', '.join(unknown)}")
    if options.command == "fetch" and not options.names:
        parser.error(f"fetch needs a NAME: {', '.join(SOURCES)}")
    folder = data_root(options.root)
    if options.command == "list":
        return _list(folder)
    names = options.names or [name for name in SOURCES if find_layout(name, folder) is not None]
    if not names:
        log.info("nothing to check: no data set is in %s", folder or "a data root")
    return max([_loaded(name, folder, fetch=options.command == "fetch") for name in names] or [0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nbsrc data", description=__doc__)
    parser.add_argument(
        "command", nargs="?", default="list", choices=("list", "fetch", "check"),
        help="list (default) what is there; fetch: download; check: read and verify",
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument("--root", help="data root (default: the environment variable NBSRC_DATA)")
    parser.add_argument("--download", help=argparse.SUPPRESS)
    return parser


def _list(folder: Path | None) -> int:
    """Log what is where."""
    log.info("data root: %s", folder or "not set (environment variable NBSRC_DATA or --root)")
    log.info("digits: part of scikit-learn, always there")
    for name in SOURCES:
        layout = find_layout(name, folder)
        found = f"{name}: found, {layout}"
        log.info("%s", missing_message(name, folder) if layout is None else found)
    return 0


def _loaded(name: str, folder: Path | None, *, fetch: bool) -> int:
    """Load a data set, after downloading it if that is wanted and needed, and log what it is."""
    try:
        sums = load_data(name, root=folder, download=fetch).checksum()
    except (DamagedDataError, MissingDataError) as error:
        log.error("%s", error)  # noqa: TRY400 - a message, not a traceback
        return 1
    log.info("%s: intact, %s in %s", name, find_layout(name, folder), folder)
    for part in ("train", "test"):
        entry = sums[part]
        exact = f", {entry['exact']} of them exact" if "exact" in entry else ""
        log.info("  %s: %d images%s, SHA-256 %s", part, entry["images"], exact, entry["sha256"])
    return 0
