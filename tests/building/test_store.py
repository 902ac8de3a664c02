"""Finished runs: found by what they depend on, published whole."""

import pytest

from nbsrc.building.store import KEPT, FinishedRuns, Targets, digest, publish
from nbsrc.files import recover_folder, replace_folder


@pytest.fixture
def files(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    two.write_text("2")
    return [one, two]


def test_the_digest_sees_contents_names_and_values(files, tmp_path):
    first = digest(files, tmp_path, {"seed": 0})
    assert digest(reversed(files), tmp_path, {"seed": 0}) == first
    assert digest(files, tmp_path, {"seed": 1}) != first
    assert digest(files[:1], tmp_path, {"seed": 0}) != first
    files[0].write_text("1 ")
    changed = digest(files, tmp_path, {"seed": 0})
    assert changed != first
    files[0].rename(tmp_path / "three.py")
    assert digest([tmp_path / "three.py", files[1]], tmp_path, {"seed": 0}) != changed


def test_the_digest_survives_moving_the_project(files, tmp_path):
    first = digest(files, tmp_path, {})
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert digest([moved / path.name for path in files], moved, {}) == first


def fill(work, text="x"):
    (work / "figure_data").mkdir()
    (work / "figure_data" / "a.csv").write_text(text)
    for name in ("evidence.json", "status.json", "notebook.ipynb"):
        (work / name).write_text(text)


def targets(root):
    return Targets(root / "n.ipynb", root / "e.json", root / "s.json", root / "data")


def test_an_unfinished_run_is_not_found_and_is_cleared_away(tmp_path):
    runs = FinishedRuns(tmp_path / "runs")
    fill(runs.workspace())
    assert runs.find("key") is None
    assert list(runs.workspace().iterdir()) == []


def test_a_finished_run_is_published_whole(tmp_path):
    runs = FinishedRuns(tmp_path / "runs")
    work = runs.workspace()
    fill(work)
    entry = runs.add(work, "key")
    assert runs.find("key") == entry
    place = targets(tmp_path / "out")
    place.figure_data.mkdir(parents=True)
    (place.figure_data / "stale.csv").write_text("old")
    publish(entry, place)
    assert [path.name for path in place.figure_data.iterdir()] == ["a.csv"]
    assert place.output.read_text() == place.evidence.read_text() == "x"
    assert place.status.read_text() == "x"


def test_publishing_the_same_again_leaves_time_stamps_alone(tmp_path):
    runs = FinishedRuns(tmp_path / "runs")
    work = runs.workspace()
    fill(work)
    entry = runs.add(work, "key")
    place = targets(tmp_path / "out")
    publish(entry, place)
    before = [place.output.stat().st_mtime_ns, place.figure_data.stat().st_ino]
    publish(entry, place)
    assert [place.output.stat().st_mtime_ns, place.figure_data.stat().st_ino] == before


def test_only_the_last_runs_are_kept(tmp_path):
    runs = FinishedRuns(tmp_path / "runs")
    for number in range(KEPT + 2):
        work = runs.workspace()
        fill(work)
        runs.add(work, f"key{number}")
    assert runs.find("key0") is None
    assert runs.find(f"key{KEPT + 1}") is not None
    assert len(list(runs.folder.iterdir())) == KEPT


def test_an_exchange_killed_between_its_renames_is_undone(tmp_path, monkeypatch):
    old, new = tmp_path / "html", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    rename = type(old).rename

    def killed(self, target):
        if self == new:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(type(old), "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(new, old)
    monkeypatch.undo()
    assert not old.exists()
    assert recover_folder(old)
    assert (old / "index.html").read_text() == "html"
    assert not recover_folder(old)
