"""Fixtures shared by the tests of the build: tiny notebooks and a tiny project around them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# The same cases in every run, so that a change is to blame for a failure and chance is not. Other
# cases, from time to time: HYPOTHESIS_PROFILE=explore make test
settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

ROOT = Path(__file__).resolve().parents[1]

PARAMETERS = 'tier = "book"\nseed = 0'
CHECK = (
    "from nbsrc import notebook\n"
    'p = notebook.parameters(globals(), tier=("smoke", "book", "paper"), seed=int)'
)

LEDGER_STAND_IN = """
from nbsrc.files import project_root, write_json_atomic, write_text_atomic

def main(argv):
    root = project_root()
    write_json_atomic(root / "build/ledger.json", [])
    for page in ("ledger", "ledger_A", "status", "_generated/counts", "_generated/other_seeds",
                 "_generated/training"):
        write_text_atomic(root / f"book/{page}.md", f"# {page}\\n")
    return 0
"""

EXPERIMENTS_STAND_IN = """
import argparse
from nbsrc.files import write_json_atomic

def main(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("experiment")
    parser.add_argument("--tier")
    parser.add_argument("--first-seed", type=int)
    parser.add_argument("--output")
    options = parser.parse_args(argv)
    write_json_atomic(options.output, {"tier": options.tier})
    return 0
"""

CONFIG = """
title: Tiny
only_build_toc_files: true
execute:
  execute_notebooks: "off"
"""


def code_cell(source, tags=()):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"cell-{abs(hash(source)) % 10**8}",
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "source": source,
    }


def write_notebook(path, cells, settings=None, title="A title"):
    """Write a notebook with a title, a parameters cell, its check, and the given code cells."""
    document = {
        "cells": [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {title}\n"},
            code_cell(PARAMETERS, ["parameters"]),
            code_cell(CHECK),
            *(code_cell(source) for source in cells),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "nbsrc": settings or {},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


class TinyProject:
    """A project of two notebooks, one experiment and five pages, with the real build."""

    def __init__(self, root):
        self.root = root
        package = root / "nbsrc"
        package.mkdir(parents=True)
        for name in ("__init__.py", "__main__.py", "files.py", "notebook.py"):
            shutil.copy(ROOT / "nbsrc" / name, package / name)
        shutil.copytree(
            ROOT / "nbsrc" / "building",
            package / "building",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        for name in ("Snakefile", "constraints.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        self.write("nbsrc/claims/__init__.py", "")
        self.write("nbsrc/claims/command.py", LEDGER_STAND_IN)
        self.write("nbsrc/experiments.py", EXPERIMENTS_STAND_IN)
        self.write("nbsrc/helper.py", "VALUE = 1\n")
        self.write("claims/A.yml", "claims: []\n")
        self.write("experiments/A_tiny.yml", "epochs: 1\n")
        self.write("_config.yml", CONFIG)
        self.write("book/intro.md", "# Welcome\n")
        pages = ("notebooks/01_one", "notebooks/02_two", "ledger", "ledger_A", "status")
        toc = "format: jb-book\nroot: intro\nchapters:\n"
        self.write("book/_toc.yml", toc + "".join(f"- file: {page}\n" for page in pages))
        self.notebook("01_one", ["print(p.seed)"], {"runs": ["A_tiny"]})
        self.notebook("02_two", ["from nbsrc.helper import VALUE", "print(VALUE)"])

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def read(self, name):
        return (self.root / name).read_text(encoding="utf-8")

    def notebook(self, stem, cells, settings=None):
        return write_notebook(self.root / "notebooks" / f"{stem}.ipynb", cells, settings, stem)

    @property
    def environment(self):
        # the copy of the package, not the installed one, in every process that the build starts
        return {**os.environ, "PYTHONPATH": str(self.root)}

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "nbsrc", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def call(self, *arguments):
        """Run a command and return its exit status and output."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output


@pytest.fixture
def tiny_project(tmp_path):
    return TinyProject(tmp_path / "project")


@pytest.fixture
def new_notebook(tmp_path):
    def make(cells, settings=None, stem="01_tiny"):
        return write_notebook(tmp_path / f"{stem}.ipynb", cells, settings)

    return make
