"""The committed notebooks: form, figures, exercises, and the same outputs in every run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from nbsrc.building.execute import start_failed
from nbsrc.claims import load_claims

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r":::\{solution\} (\S+)\n.*?\n:::(?=\n|$)", re.S)
FENCE = re.compile(r"```python\n(.*?)```", re.S)


def cells(path: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def solutions() -> list[Any]:
    found = []
    for path in NOTEBOOKS:
        for cell in cells(path, "markdown"):
            for match in SOLUTION.finditer(cell.source):
                code = "\n".join(FENCE.findall(match.group(0)))
                found.append(pytest.param(code, id=f"{path.stem}:{match.group(1)}"))
    return found


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_without_outputs(path: Path) -> None:
    for cell in cells(path, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form(path: Path) -> None:
    """Python 3 kernel, parameters first, then their check, and short cells."""
    document = nbformat.read(path, as_version=4)
    nbformat.validate(document)
    code = cells(path, "code")
    assert document.metadata.kernelspec.name == "python3"
    assert code[0].metadata.tags == ["parameters"]
    assert code[0].source.splitlines() == ['tier = "book"', "seed = 0"]
    assert "notebook.parameters(globals()" in code[1].source
    assert max(len(cell.source.splitlines()) for cell in code) <= 25


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_have_caption_alt_text_and_data(path: Path) -> None:
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    drawn = [cell for cell in cells(path, "code") if "plt.show()" in cell.source]
    assert drawn
    for cell in drawn:
        figure = cell.metadata.mystnb.figure
        assert "claims.check" not in cell.source  # its box would become part of the figure
        assert len(cell.metadata.mystnb.image.alt) >= 60
        assert f'figures.export("{figure.name}"' in cell.source
        assert f"figure_data/{path.stem}/{figure.name}.csv" in figure.caption
        assert f"{{numref}}`{figure.name}`" in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_claim_of_the_chapter_is_checked_in_it(path: Path) -> None:
    source = "\n".join(cell.source for cell in cells(path, "code"))
    named = set(re.findall(r'"([A-D]\.[A-Za-z0-9_.-]+)"', source))
    rows = {r.id for paper in load_claims() for r in paper.rows if r.notebook == path.stem}
    assert rows
    assert named == rows


@pytest.mark.parametrize("code", solutions())
def test_solutions_run(code: str) -> None:
    """Every exercise's solution holds code with an assertion, and the assertion is true."""
    assert "assert" in code
    exec(compile(code, "solution", "exec"), {})


def outputs_of_a_run(path: Path, target: Path) -> list[Any]:
    command = [
        sys.executable, "-m", "papermill", str(path), str(target), "-p", "tier", "smoke",
        "-p", "seed", "1", "-k", "python3", "--no-progress-bar",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBSRC_")}
    for _ in range(3):  # plain papermill gives up when a kernel does not start; the build does not
        run = subprocess.run(
            command, cwd=target.parent, env=environment, capture_output=True, text=True, check=False
        )
        if not start_failed(run.stderr):
            break
    assert run.returncode == 0, run.stderr[-3000:]
    executed = json.loads(target.read_text(encoding="utf-8"))
    return [cell["outputs"] for cell in executed["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_plain_papermill_gives_the_same_outputs_twice(path: Path, tmp_path: Path) -> None:
    """From any folder, with parameters, and no evidence that disagrees with the ledger."""
    targets = [tmp_path / f"run{number}.ipynb" for number in (1, 2)]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda target: outputs_of_a_run(path, target), targets)
    assert first == second
    assert any(first)
    assert "nb-problems" not in json.dumps(first)
