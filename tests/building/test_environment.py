"""An interrupted installation is never taken for a finished one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbsrc.building import environment

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project whose installation only counts how often it ran and how it began."""
    (tmp_path / "pyproject.toml").write_text("a")
    (tmp_path / "constraints.txt").write_text("a")
    calls = []

    def create(folder, *, with_pip, clear):
        calls.append("clear")
        Path(folder).mkdir(exist_ok=True)

    monkeypatch.setattr(environment.venv, "create", create)
    monkeypatch.setattr(environment, "_install", lambda root: calls.append("install"))
    return tmp_path, calls


def test_it_installs_once(root):
    folder, calls = root
    assert environment.ensure(folder)
    assert not environment.ensure(folder)
    assert calls == ["clear", "install"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_updates_and_a_touched_one_does_not(root, name):
    folder, calls = root
    environment.ensure(folder)
    (folder / name).touch()
    assert not environment.ensure(folder)
    (folder / name).write_text("b")
    assert environment.ensure(folder)
    assert calls == ["clear", "install", "install"]


def test_after_an_interruption_it_starts_from_nothing(root, monkeypatch):
    folder, calls = root

    def interrupted(_):
        raise KeyboardInterrupt

    environment.ensure(folder)
    (folder / "constraints.txt").write_text("b")
    with monkeypatch.context() as patch:
        patch.setattr(environment, "_install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            environment.ensure(folder)
    calls.clear()
    assert environment.ensure(folder)
    assert calls == ["clear", "install"]


def test_another_python_starts_from_nothing(root, monkeypatch):
    folder, calls = root
    environment.ensure(folder)
    monkeypatch.setattr(sys, "version", "3.99.0 (other)")
    assert environment.ensure(folder)
    assert calls == ["clear", "install"] * 2


def test_a_failed_step_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('no such package'); raise SystemExit(2)"]
    with pytest.raises(environment.InstallError, match="no such package"):
        environment._run(command, tmp_path, log)


def test_an_old_python_is_refused_with_a_clear_message(tmp_path):
    for name in ("python3", "python3.13", "python3.12", "python3.11"):
        script = tmp_path / name
        script.write_text("#!/bin/sh\nexit 1\n")  # what the version check of an old one gives
        script.chmod(0o755)
    done = subprocess.run(
        ["make", "-f", str(MAKEFILE), "env"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHON": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()
