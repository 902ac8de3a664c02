"""Running a notebook with a real kernel: complete outputs, or none and a clear message."""

import json
import os
import shutil
import signal
import time

import pytest

EVIDENCE = (
    "import json, os, pathlib\n"
    "folder = pathlib.Path(os.environ['NBSRC_EVIDENCE_DIR'])\n"
    "(folder / 'A.x.json').write_text(json.dumps({'id': 'A.x', 'seed': p.seed}))\n"
    "data = pathlib.Path(os.environ['NBSRC_FIGURE_DATA_DIR'])\n"
    "_ = (data / 'norms.csv').write_text('1,2')"
)
OUTPUTS = (
    "book/notebooks/02_two.ipynb",
    "build/evidence/02_two.json",
    "build/status/02_two.json",
    "book/notebooks/figure_data/02_two",
)
CLAIMS_STAND_IN = "def row(name):\n    return name\n"
CONSISTENCY_STAND_IN = "def evidence_problems(row, record):\n    return []\n"


@pytest.fixture
def project(tiny_project):
    tiny_project.write("nbsrc/claims/__init__.py", CLAIMS_STAND_IN)
    tiny_project.write("nbsrc/claims/consistency.py", CONSISTENCY_STAND_IN)
    return tiny_project


def run(project, *arguments):
    return project.call("run", "notebooks/02_two.ipynb", *arguments)


def existing(project):
    return [name for name in OUTPUTS if (project.root / name).exists()]


def test_two_runs_give_the_same_bytes_and_the_second_may_be_a_copy(project):
    project.notebook("02_two", [EVIDENCE, "import sys\nprint('a')\nprint('b', file=sys.stderr)"])
    status, output = run(project, "--tier", "smoke", "--seed", "4")
    assert status == 0, output
    assert "02_two: executed" in output
    first = project.read(OUTPUTS[0])
    evidence = json.loads(project.read(OUTPUTS[1]))
    assert evidence == {
        "notebook": "02_two",
        "tier": "smoke",
        "seed": 4,
        "checks": {"A.x": {"id": "A.x", "seed": 4}},
    }
    told = json.loads(project.read(OUTPUTS[2]))
    assert (told["checks_passed"], told["checks_total"], told["code_cells"]) == (1, 1, 4)
    assert told["environment"]["torch"]
    assert project.read(OUTPUTS[3] + "/norms.csv") == "1,2"
    assert "cell 4 of 4" in project.read("build/logs/02_two.log")

    for name in OUTPUTS[:3]:
        (project.root / name).unlink()
    status, output = run(project, "--tier", "smoke", "--seed", "4")
    assert "same inputs as a finished run" in output
    assert project.read(OUTPUTS[0]) == first

    shutil.rmtree(project.root / "build" / "finished")
    status, output = run(project, "--tier", "smoke", "--seed", "4")
    assert "02_two: executed" in output
    assert project.read(OUTPUTS[0]) == first


def test_a_failing_cell_is_named_and_its_copy_kept(project):
    project.notebook("02_two", ["print('got this far')", "# why\nvalue = 1 / 0", "print('never')"])
    status, output = run(project)
    assert status == 1
    assert "02_two failed in code cell 4: value = 1 / 0" in output
    assert "ZeroDivisionError: division by zero" in output
    assert existing(project) == []
    partial = project.read("build/logs/02_two.ipynb")
    assert "got this far" in partial
    assert "ZeroDivisionError" in partial
    assert "FAILED" in project.read("build/logs/02_two.log")


def test_the_whole_notebook_has_a_time_limit(project):
    project.notebook("02_two", ["import time\ntime.sleep(60)"], {"timeout": 4})
    start = time.monotonic()
    status, output = run(project)
    assert status == 1
    assert time.monotonic() - start < 30
    assert "02_two was stopped after 4 s" in output
    assert "cell 3 of 3: import time" in output
    assert existing(project) == []


def test_wrong_parameters_fail_before_a_kernel_starts(project):
    start = time.monotonic()
    status, output = run(project, "-p", "sead", "1")
    assert status == 1
    assert "unknown parameter sead = 1; allowed parameters: tier: 'smoke'" in output
    status, output = run(project, "--seed", "one")
    assert status == 1
    assert "seed = 'one' is a str: allowed is int" in output
    assert time.monotonic() - start < 5
    assert not (project.root / "build" / "finished").exists()


def test_a_missing_training_run_is_named(project):
    status, output = project.call("run", "notebooks/01_one.ipynb")
    assert status == 1
    assert "needs build/runs/book/A_tiny.json, which is missing" in output


def test_killed_in_the_middle_it_leaves_nothing_and_starts_again(project):
    project.notebook("02_two", ["import time, pathlib", "time.sleep(3)\nprint('done')"])
    process = project.start("run", "notebooks/02_two.ipynb")
    log = project.root / "build/logs/02_two.log"
    end = time.monotonic() + 60
    while not (log.is_file() and "cell 4 of 4" in log.read_text()):
        assert time.monotonic() < end, "the notebook did not start"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert existing(project) == []
    status, output = run(project)
    assert status == 0, output
    assert existing(project) == list(OUTPUTS)
    assert "done" in project.read(OUTPUTS[0])
