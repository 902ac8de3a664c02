"""torchvision imports beside a CPU torch. Each case runs in a fresh process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_models_and_datasets_import_and_no_stand_in_stays_behind() -> None:
    printed = run_python(
        """
        import sys
        from nbsrc.torchvision_compat import torchvision_datasets, torchvision_models
        before = set(sys.modules)
        models = torchvision_models()
        again = torchvision_models()
        import torchvision
        has_operators = torchvision.extension._has_ops()
        print(models is again is torchvision.models, models.resnet18.__name__)
        print(torchvision_datasets().MNIST.__name__, torchvision.utils.make_grid.__name__)
        stand_in = sys.modules.get("torchvision._meta_registrations")
        print((stand_in is not None) == has_operators)
        """
    )
    assert printed.split() == ["True", "resnet18", "MNIST", "make_grid", "True"]


def test_an_import_that_failed_before_does_not_spoil_the_next() -> None:
    printed = run_python(
        """
        try:
            import torchvision
        except RuntimeError as error:
            assert "torchvision::" in str(error)
        from nbsrc.torchvision_compat import torchvision_models
        print(torchvision_models().vgg11.__name__)
        """
    )
    assert printed == "vgg11"


def test_threads_that_import_at_once_get_the_same_module() -> None:
    printed = run_python(
        """
        from concurrent.futures import ThreadPoolExecutor
        from nbsrc.torchvision_compat import torchvision_models
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: torchvision_models(), range(16)))
        print(len({id(module) for module in found}))
        """
    )
    assert printed == "1"


FAKE = """
    import pathlib, sys, tempfile
    folder = pathlib.Path(tempfile.mkdtemp()) / "torchvision"
    folder.mkdir()
    (folder / "part.py").write_text("")
    (folder / "models.py").write_text("")
    (folder / "_meta_registrations.py").write_text({registrations!r})
    (folder / "__init__.py").write_text({package!r})
    sys.path.insert(0, str(folder.parent))
    from nbsrc import torchvision_compat
"""


def fake_torchvision(package: str, registrations: str = "") -> str:
    """Return code that puts a torchvision of our own first on the path."""
    return textwrap.dedent(FAKE).format(package=package, registrations=registrations)


def test_nothing_is_replaced_where_the_operators_load() -> None:
    code = fake_torchvision(
        "from torchvision import _meta_registrations, models\n", "REAL = True\n"
    )
    printed = run_python(
        code
        + textwrap.dedent(
            """
            torchvision = torchvision_compat.import_torchvision()
            print(torchvision._meta_registrations.REAL)
            print(sys.modules["torchvision._meta_registrations"].REAL)
            """
        )
    )
    assert printed.split() == ["True", "True"]


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (
            "import torchvision.part\nraise RuntimeError('operator torchvision::x does not exist')",
            "ImportError: torchvision cannot be imported beside this build of torch",
        ),
        ("import torchvision.part\nraise RuntimeError('other trouble')", "RuntimeError: other"),
    ],
)
def test_other_failures_are_reported_and_leave_nothing_half_imported(
    package: str, expected: str
) -> None:
    printed = run_python(
        fake_torchvision(package)
        + textwrap.dedent(
            """
            try:
                torchvision_compat.import_torchvision()
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
            print([name for name in sys.modules if name.split(".")[0] == "torchvision"])
            """
        )
    )
    assert printed.startswith(expected)
    # After an error that is not the known one, things are as Python leaves them.
    assert printed.endswith("['torchvision.part']" if "other" in expected else "[]")
