"""Figure style and figure data."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from nbsrc import figures


def test_style_is_opaque_and_reproducible() -> None:
    with mpl.rc_context():
        figures.use_style()
        assert mpl.rcParams["figure.facecolor"] == "white"
        assert mpl.rcParams["savefig.transparent"] is False
        assert mpl.rcParams["svg.hashsalt"] == "nbsrc"


def test_export_writes_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBSRC_FIGURE_DATA_DIR", str(tmp_path))
    figures.export("fig-x", [{"a": 1, "b": "x, y"}, {"a": 2.5, "b": None}])
    assert (tmp_path / "fig-x.csv").read_text(encoding="utf-8") == 'a,b\n1,"x, y"\n2.5,\n'


def test_export_without_a_build_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBSRC_FIGURE_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    figures.export("fig-x", [{"a": 1}])
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="rows of figure 'fig-x' must not be empty"):
        figures.export("fig-x", [])


def test_export_refuses_different_keys() -> None:
    with pytest.raises(ValueError, match="must all have the keys"):
        figures.export("fig-x", [{"a": 1}, {"b": 1}])
