"""Where everything lies, and what each notebook of the project depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nbsrc.building.claim_rows import load_rows, rows_digest
from nbsrc.building.dependencies import DependencyScan
from nbsrc.building.source import Source, read_source
from nbsrc.building.store import Targets

TIERS = ("smoke", "book", "paper")
_MACHINERY = ("nbsrc.building.execute", "nbsrc.building.canonical")  # they shape every notebook


@dataclass(frozen=True)
class Layout:
    """The project's folders.

    Attributes:
        root: Folder that holds pyproject.toml.
    """

    root: Path

    @property
    def build(self) -> Path:
        """Folder of everything the build makes outside ``book``."""
        return self.root / "build"

    @property
    def logs(self) -> Path:
        """Folder of logs and of partly executed notebooks."""
        return self.build / "logs"

    @property
    def html(self) -> Path:
        """The finished book."""
        return self.build / "html"

    @cached_property
    def scan(self) -> DependencyScan:
        """The import scan of the package, which remembers the modules it has read."""
        return DependencyScan(self.root / "nbsrc")

    @cached_property
    def claim_rows(self) -> list[dict[str, Any]]:
        """Rows of all claim files."""
        return load_rows(self.root / "claims")

    @property
    def notebooks(self) -> list[Path]:
        """Source notebooks in the order of their numbers."""
        return sorted((self.root / "notebooks").glob("[0-9]*.ipynb"))

    @property
    def experiments(self) -> list[Path]:
        """Training grids."""
        return sorted((self.root / "experiments").glob("*.yml"))

    def run_file(self, experiment: str, tier: str) -> Path:
        """Say where the finished runs of an experiment lie.

        Args:
            experiment: Stem of its file.
            tier: One of `TIERS`.

        Returns:
            The JSON file.
        """
        return self.build / "runs" / tier / f"{experiment}.json"

    def targets(self, stem: str) -> Targets:
        """Say where the outputs of a notebook go.

        Args:
            stem: Stem of the notebook.

        Returns:
            The four places.
        """
        book = self.root / "book" / "notebooks"
        return Targets(
            output=book / f"{stem}.ipynb",
            evidence=self.build / "evidence" / f"{stem}.json",
            status=self.build / "status" / f"{stem}.json",
            figure_data=book / "figure_data" / stem,
        )

    def files_of(self, source: Source, tier: str) -> list[Path]:
        """List the files that decide what a notebook's run gives.

        Args:
            source: The notebook.
            tier: One of `TIERS`, which selects the runs.

        Returns:
            The notebook, the modules and data files it uses, its runs, the pinned versions.

        Raises:
            ValueError: If it asks for runs of an experiment that does not exist.
        """
        known = {path.stem for path in self.experiments}
        for run in source.settings.runs:
            if run not in known:
                raise ValueError(
                    f"{source.path.name}: nbsrc.runs names {run!r}, but there are: "
                    f"{', '.join(sorted(known)) or 'no experiments'}"
                )
        return [
            source.path,
            *self.scan.of_source(source),
            *self.scan.of_modules(_MACHINERY),
            *(self.run_file(run, tier) for run in source.settings.runs),
            self.root / "constraints.txt",
        ]

    def rows_of(self, source: Source) -> str:
        """Digest the ledger rows that a notebook shows.

        Args:
            source: The notebook.

        Returns:
            A short digest.
        """
        return rows_digest(source, self.claim_rows)

    def sources(self) -> dict[str, Source]:
        """Parse all notebooks.

        Returns:
            Stem and parsed notebook.
        """
        return {path.stem: read_source(path) for path in self.notebooks}

    def relative(self, paths: Sequence[Path]) -> list[str]:
        """Write paths relative to the root, as Snakemake and its messages show them.

        Args:
            paths: Paths below the root.

        Returns:
            Their names, each once.
        """
        return list(dict.fromkeys(path.relative_to(self.root).as_posix() for path in paths))
