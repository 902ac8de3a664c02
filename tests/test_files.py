"""Files are complete or absent."""

import math

import pytest

from nbsrc import files


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    files.write_json_atomic(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n "a": "é",\n "b": 1\n}\n'
    for bad, error in (({"a": math.nan}, ValueError), ({"a": object()}, TypeError)):
        with pytest.raises(error):
            files.write_json_atomic(path, bad)
    assert "é" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_an_interrupted_replacement_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_text_atomic(tmp_path / "x", "text")
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_what_is_written(tmp_path):
    files.write_text_atomic(tmp_path / "folder" / "x", "text")
    assert (tmp_path / "folder" / "x").stat().st_mode & 0o777 == 0o644


def test_an_equal_file_is_left_alone(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("1")
    assert files.copy_if_changed(source, target)
    before = target.stat().st_mtime_ns
    assert not files.copy_if_changed(source, target)
    assert target.stat().st_mtime_ns == before
    source.write_text("2")
    assert files.copy_if_changed(source, target)
    assert target.read_text() == "2"


def test_the_root_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (files.project_root() / "pyproject.toml").is_file()


def test_an_installation_without_a_checkout_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "__file__", str(tmp_path / "nbsrc" / "files.py"))
    with pytest.raises(FileNotFoundError, match=r"pyproject\.toml.*checkout"):
        files.project_root()
