"""The whole build of a tiny project: why jobs run, what a kill leaves, what a failure keeps."""

import base64
import json
import os
import signal
import time

from bs4 import BeautifulSoup

from nbsrc.building.layout import Layout
from nbsrc.building.workflow import STAMP, prepare

LEDGER = "build/ledger.json"  # everything but the typesetting
WAIT_FOR_FLAG = """
import pathlib, time
from nbsrc.files import project_root
while not (project_root() / "build/flag").exists():
    time.sleep(0.05)
"""


def wait_until(condition, process):
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def build(project, *arguments):
    status, output = project.call("build", "--cores", "2", *arguments)
    assert status == 0, output
    return output


def output_blocks(project, stem):
    page = BeautifulSoup(project.read(f"build/html/notebooks/{stem}.html"), "html.parser")
    return [block.get_text() for block in page.select(".cell_output pre")]


def only_page(project, text):
    """Reduce the book to one page, which typesets in a few seconds."""
    project.write("book/_toc.yml", "format: jb-book\nroot: intro\n")
    project.write("book/intro.md", text)


def test_a_build_runs_what_changed_and_says_why(tiny_project):
    project = tiny_project
    output = build(project)
    assert "[5/5] book" in output
    assert (project.root / "build/html/index.html").is_file()
    assert "0\n" in output_blocks(project, "01_one")
    assert json.loads(project.read("build/times.json"))["fresh_build_s"] > 1

    (project.root / "notebooks/01_one.ipynb").touch()
    assert "notebook" not in build(project, LEDGER)

    project.write("nbsrc/helper.py", "VALUE = 2\n")
    output = build(project, LEDGER)
    assert "notebook 02_two: changed: nbsrc/helper.py" in output
    assert "notebook 01_one" not in output
    assert '"2\\n"' in project.read("book/notebooks/02_two.ipynb")

    project.write("claims/A.yml", "claims:\n- {id: A.x, notebook: 01_one}\n")
    output = build(project, LEDGER)
    assert "notebook 01_one: parameters changed" in output
    assert "notebook 02_two" not in output

    # back to the first module: the finished run is taken, no kernel starts
    project.write("nbsrc/helper.py", "VALUE = 1\n")
    assert "02_two: same inputs as a finished run" in build(project, LEDGER)

    # another seed: notebooks run again, and what they read is trained again
    output = build(project, "--seed", "7", LEDGER)
    assert "notebook 02_two: parameters changed: before: 0 now: 7" in output
    assert "train book A_tiny: parameters changed" in output
    assert "] notebook 01_one" in output


def test_a_failing_notebook_fails_the_build_and_the_others_still_finish(tiny_project):
    project = tiny_project
    project.notebook("01_one", ["raise KeyError('lost')"])
    status, output = project.call("build", "--cores", "1")
    assert status == 1
    assert "01_one failed in code cell 3: raise KeyError('lost')" in output
    assert "KeyError: 'lost'" in output
    assert (project.root / "build/logs/01_one.ipynb").is_file()
    assert (project.root / "book/notebooks/02_two.ipynb").is_file()
    assert not (project.root / "book/notebooks/01_one.ipynb").exists()
    assert not (project.root / "build/html").exists()


def test_killing_everything_loses_no_finished_notebook(tiny_project):
    project = tiny_project
    project.notebook("01_one", [WAIT_FOR_FLAG, "print('slow')"])
    process = project.start("build", "--cores", "2")
    log = project.root / "build/logs/01_one.log"
    finished = project.root / "book/notebooks/02_two.ipynb"
    wait_until(lambda: finished.exists() and log.exists() and "cell 3" in log.read_text(), process)
    os.kill(process.pid, signal.SIGKILL)  # the build only: what it started must end by itself
    process.wait()
    project.write("build/flag", "")
    assert not (project.root / "book/notebooks/01_one.ipynb").exists()
    output = build(project)
    assert "02_two: executed" not in output
    assert "01_one: executed" in output
    assert "slow" in project.read("build/html/notebooks/01_one.html")


def test_killing_the_typesetting_keeps_the_old_book(tiny_project):
    project = tiny_project
    only_page(project, "# Welcome\n")
    assert project.call("book")[0] == 0
    html = project.root / "build/html"
    old = {path.name: path.read_bytes() for path in html.glob("*.html")}
    only_page(project, "# Changed\n")
    log = project.root / "build/logs/book.log"
    log.unlink()
    process = project.start("book")
    wait_until(lambda: log.exists() and "reading sources" in log.read_text(), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert {path.name: path.read_bytes() for path in html.glob("*.html")} == old
    assert project.call("book")[0] == 0
    assert "Changed" in project.read("build/html/intro.html")


def test_a_warning_of_sphinx_fails_the_build_every_time(tiny_project):
    project = tiny_project
    only_page(project, "# Welcome\n\n{nonsense}`x`\n\n{ref}`nowhere`\n")
    for _ in range(2):  # Sphinx itself would not repeat what it found while reading a kept page
        status, output = project.call("book")
        assert status == 1
        assert 'WARNING: Unknown interpreted text role "nonsense"' in output
        assert "intro.md:5: WARNING: undefined label: 'nowhere'" in output
    assert not (project.root / "build/html").exists()


def test_what_a_renamed_notebook_left_is_removed(tiny_project):
    project = tiny_project
    left = ("book/notebooks/03_old.ipynb", "build/evidence/03_old.json", "build/status/03_old.json")
    for name in (*left, "book/notebooks/figure_data/03_old/a.csv", "build/finished/03_old/k/x"):
        project.write(name, "{}")
    project.write("build/evidence/01_one.json", "{}")
    prepare(Layout(project.root))
    assert not any(project.root.rglob("03_old*"))
    assert (project.root / "build/evidence/01_one.json").is_file()


def test_an_output_with_a_half_written_record_is_made_again(tiny_project):
    project = tiny_project
    names = ("book/notebooks/01_one.ipynb", "book/notebooks/02_two.ipynb")
    for name, record in zip(names, ('{"params": [', json.dumps({})), strict=True):
        project.write(name, "{}")
        encoded = base64.urlsafe_b64encode(name.encode()).decode()
        project.write(f".snakemake/metadata/{encoded}", record)
    prepare(Layout(project.root))
    assert [(project.root / name).exists() for name in names] == [False, True]


def test_a_book_that_was_deleted_is_made_again(tiny_project):
    tiny_project.write(STAMP, "{}")
    prepare(Layout(tiny_project.root))
    assert not (tiny_project.root / STAMP).exists()


def test_a_source_that_breaks_after_a_build_stops_the_next_one(tiny_project):
    """Finished outputs must not hide a source that can no longer be read."""
    project = tiny_project
    build(project, LEDGER)
    good = {name: project.read(name) for name in ("nbsrc/helper.py", "notebooks/01_one.ipynb")}
    breaks = {
        "nbsrc/helper.py": ("def f(:\n", "helper.py, line 1: not valid Python"),
        "notebooks/01_one.ipynb": ("<<<<<<< HEAD\n", "01_one.ipynb"),
    }
    for name, (text, message) in breaks.items():
        project.write(name, text)
        status, output = project.call("build", "--cores", "2", LEDGER)
        assert status != 0
        assert message in output
        assert "Traceback" not in output
        project.write(name, good[name])
    assert "up to date" in build(project, LEDGER)


def test_an_unknown_tier_or_target_is_named(tiny_project):
    status, output = tiny_project.call("build", "--tier", "smoek")
    assert status != 0
    assert "tier must be one of smoke, book, paper, got 'smoek'" in output
    status, output = tiny_project.call("build", "nonexistent")
    assert status != 0
    assert "nonexistent" in output
