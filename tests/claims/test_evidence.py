"""Checks: what they record and write, and that they never hide an error."""

import json

import numpy as np
import pytest

from nbsrc import claims

NAME = "A.thm1.l1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NBSRC_EVIDENCE_DIR", str(tmp_path))
    monkeypatch.setenv("NBSRC_NOTEBOOK", "01_layer_norms")
    return tmp_path


@pytest.fixture(autouse=True)
def no_build(monkeypatch):
    for name in ("NBSRC_EVIDENCE_DIR", "NBSRC_NOTEBOOK"):
        monkeypatch.delenv(name, raising=False)


def use(name=NAME, tolerance=1e-10):
    with claims.check(name, tolerance=tolerance) as c:
        c.literal(holds=True, worst_slack=np.float64(-1e-13), trials=4, family="few")
        c.control("drop it", broke=np.bool_(True), detail="h=2")
        c.measured(ratio=np.float32(0.5), shape=(2, 3))
    return c


def test_the_evidence_is_written_under_the_build(no_build, folder):
    c = use()
    written = json.loads((folder / f"{NAME}.json").read_text())
    assert written == c.record
    assert written["literal"]["worst_slack"] == -1e-13
    assert written["controls"] == [{"name": "drop it", "broke": True, "detail": "h=2"}]
    assert written["measured"] == {"ratio": 0.5, "shape": [2, 3]}
    assert (written["id"], written["notebook"]) == (NAME, "01_layer_norms")
    assert (written["anchor"], written["tolerance"]) == (f"check-{NAME}", 1e-10)
    assert written["outcome"] is written["corrected"] is None


def test_a_reader_without_a_build_gets_a_record_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert use().record["notebook"] is None
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_block_passes_through_and_nothing_is_written(no_build, folder):
    c = claims.check(NAME, tolerance=0)

    def cell():
        with c:
            c.literal(holds=True, worst_slack=0.0, trials=1)
            c.control("x", broke=True)
            c.measured(ratio=1 / 0)

    with pytest.raises(ZeroDivisionError, match="division by zero"):
        cell()
    assert c.record is None
    assert list(folder.iterdir()) == []


def test_an_assertion_in_the_block_passes_through(no_build, folder):
    with pytest.raises(AssertionError), claims.check(NAME, tolerance=0):
        raise AssertionError
    assert list(folder.iterdir()) == []


def test_an_empty_check_is_an_error_and_writes_nothing(no_build, folder):
    with (
        pytest.raises(ValueError, match="recorded neither literal nor outcome"),
        claims.check(NAME, tolerance=0) as c,
    ):
        c.control("x", broke=True)
    assert list(folder.iterdir()) == []


def test_the_same_claim_twice_in_one_notebook_is_an_error(no_build, folder):
    use()
    with pytest.raises(ValueError, match="is checked twice"):
        use()


def test_an_unknown_id_is_an_error_in_the_cell():
    with pytest.raises(ValueError, match=r"'A\.nothing' is not in claims"):
        claims.check("A.nothing", tolerance=0)


@pytest.mark.parametrize(
    ("tolerance", "kind"),
    [(-1.0, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), ("x", TypeError)],
)
def test_a_bad_tolerance_is_named(tolerance, kind):
    with pytest.raises(kind, match="tolerance"):
        claims.check(NAME, tolerance=tolerance)


def test_a_finding_and_keywords_record_the_same():
    values = {"holds": False, "worst_slack": -1.0, "trials": 2, "counterexample": "h=1"}
    records = []
    for arguments in ((claims.Finding(**values),), ()):
        with claims.check(NAME, tolerance=0) as c:
            c.literal(*arguments, **({} if arguments else values))
            c.corrected(*arguments, **({} if arguments else values))
        records.append((c.record["literal"], c.record["corrected"]))
    assert records[0] == records[1]


def test_misuse_is_an_error():
    finding = claims.Finding(True, 0.0, 1)
    with claims.check(NAME, tolerance=0) as c:
        c.literal(finding)
        with pytest.raises(ValueError, match="literal was recorded already"):
            c.literal(finding)
        with pytest.raises(TypeError, match="not both"):
            c.corrected(finding, trials=3)
        with pytest.raises(TypeError, match="takes a Finding, got dict"):
            c.corrected({"holds": True})
        with pytest.raises(TypeError, match="broke must be True or False"):
            c.control("x", broke=1)
        with pytest.raises(TypeError, match="name of a control must be text"):
            c.control(3, broke=True)
        with pytest.raises(ValueError, match="verdict must be one of reproduced"):
            c.outcome("holds", ours=1, paper=2)
        c.outcome("reproduced", ours=1, paper=2)
        with pytest.raises(ValueError, match="outcome was recorded already"):
            c.outcome("reproduced", ours=1, paper=2)


def test_the_box_is_shown_in_a_notebook(monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    InteractiveShell.instance()
    try:
        with capture_output() as captured:
            use()
    finally:
        InteractiveShell.clear_instance()
    assert f'id="check-{NAME}"' in captured.outputs[0].data["text/html"]


def test_importing_the_package_is_light():
    import subprocess
    import sys

    code = "import sys, nbsrc.claims.command; print(sorted({'torch', 'numpy', 'pandas', "
    code += "'matplotlib', 'IPython'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
