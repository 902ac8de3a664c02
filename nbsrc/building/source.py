"""A source notebook as the build sees it: cells, title and settings, without nbformat."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_TIMEOUT = 600
_HEADING = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)
_IPYTHON_LINE = re.compile(r"^\s*[%!]")


@dataclass(frozen=True)
class Settings:
    """The ``nbsrc`` entry of a notebook's metadata.

    Attributes:
        runs: Stems of the experiments whose finished runs the notebook reads.
        timeout: Seconds the whole notebook may take.
        threads: Threads of the numerical libraries.
    """

    runs: tuple[str, ...] = ()
    timeout: int = DEFAULT_TIMEOUT
    threads: int = 1


@dataclass(frozen=True)
class Source:
    """A parsed notebook.

    Attributes:
        path: Where it lies.
        code: Source of every code cell, IPython's own lines blanked.
        tags: Tags of every code cell, in the same order.
        title: First heading of level one, or the stem.
        settings: See `Settings`.
    """

    path: Path
    code: tuple[str, ...]
    tags: tuple[frozenset[str], ...]
    title: str
    settings: Settings = field(default_factory=Settings)

    @property
    def stem(self) -> str:
        """Name without folder and suffix, which names the notebook everywhere."""
        return self.path.stem


def read_source(path: Path) -> Source:
    """Parse a notebook file.

    Args:
        path: An .ipynb file of format 4.

    Returns:
        Its cells, title and settings.

    Raises:
        ValueError: If the file is not a notebook of format 4 or its settings are wrong.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        cells = document["cells"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a notebook of format 4: {error}") from error
    code_cells = [cell for cell in cells if cell.get("cell_type") == "code"]
    return Source(
        path=path,
        code=tuple(_python_only(cell_text(cell)) for cell in code_cells),
        tags=tuple(frozenset(cell.get("metadata", {}).get("tags", ())) for cell in code_cells),
        title=_title(cells) or path.stem,
        settings=_settings(path, document.get("metadata", {}).get("nbsrc", {})),
    )


def cell_text(cell: dict[str, Any]) -> str:
    """Join a cell's source, which may be a string or a list of lines.

    Args:
        cell: A cell of the notebook's JSON.

    Returns:
        The text.
    """
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _python_only(code: str) -> str:
    """Blank magics and shell lines, so that the rest parses as Python.

    Args:
        code: Source of a cell.

    Returns:
        As many lines of Python.
    """
    if code.lstrip().startswith("%%"):
        return ""
    return "\n".join("" if _IPYTHON_LINE.match(line) else line for line in code.split("\n"))


def _title(cells: list[dict[str, Any]]) -> str | None:
    for cell in cells:
        if cell.get("cell_type") == "markdown" and (match := _HEADING.search(cell_text(cell))):
            return match.group(1)
    return None


def _settings(path: Path, given: dict[str, Any]) -> Settings:
    runs = given.get("runs", [])
    if not isinstance(runs, list) or not all(isinstance(run, str) for run in runs):
        raise ValueError(f"{path}: nbsrc.runs = {runs!r} must be a list of experiment names")
    numbers = {name: given.get(name, getattr(Settings, name)) for name in ("timeout", "threads")}
    for name, value in numbers.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"{path}: nbsrc.{name} = {value!r} must be a whole number from 1 on")
    unknown = sorted(set(given) - {"runs", "timeout", "threads"})
    if unknown:
        raise ValueError(
            f"{path}: unknown nbsrc setting {unknown[0]!r}; allowed: runs, timeout, threads"
        )
    return Settings(runs=tuple(runs), **numbers)
