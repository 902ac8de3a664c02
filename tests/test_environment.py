"""pyproject.toml, constraints.txt, environment.yml and what is installed say the same."""

import re
import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from nbsrc.building.environment import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]
TEXTS = [*PROJECT["dependencies"], *(text for extra in OPTIONAL.values() for text in extra)]
REQUIREMENTS = [Requirement(text) for text in TEXTS]


def read_pins(text):
    """Return name and version of every pin; any other line is an error."""
    pins = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+)", line)
        assert match, f"constraints.txt: {line!r} is not 'name==version' without a local label"
        name = canonicalize_name(match[1])
        assert name not in pins, f"constraints.txt pins {name} twice"
        pins[name] = match[2]
    return pins


@pytest.fixture(scope="module")
def pins():
    return read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line", ["torch==2.13.0+cpu", "numpy>=2", "-e .", "x @ file:///somewhere", "a==1\na==2"]
)
def test_a_line_that_is_no_plain_pin_is_refused(line):
    with pytest.raises(AssertionError, match=r"constraints\.txt"):
        read_pins(line)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_every_dependency_is_pinned_within_its_bounds(requirement, pins):
    name = canonicalize_name(requirement.name)
    assert name in pins, f"constraints.txt does not pin {name}"
    assert requirement.specifier.contains(pins[name], prereleases=True)


def test_the_versions_that_the_project_promises(pins):
    assert pins["torch"] == "2.13.0"
    assert pins["torchvision"] == "0.28.0"
    assert pins["jupyter-book"] == "1.0.4.post1"


def test_every_bound_states_its_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in TEXTS:
        line = next(line for line in text.splitlines() if f'"{requirement}"' in line)
        assert re.search(r",\s+# \w", line), f"no reason behind {requirement}"


def test_what_is_installed_is_what_is_pinned(pins):
    different = {
        name: (version(name), pinned)
        for name, pinned in pins.items()
        if Version(version(name)).public != pinned
    }
    assert not different, f"installed and pinned versions: {different}"


def test_nothing_is_installed_that_is_not_pinned(pins):
    not_ours = {"pip", PROJECT["name"]}  # pip itself comes with Python's venv
    installed = {canonicalize_name(dist.metadata["Name"]) for dist in distributions()}
    assert sorted(installed - set(pins) - not_ours) == []


def test_every_extra_is_installed_by_make_and_by_conda():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert set(OPTIONAL) == set(EXTRAS.split(","))
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", f"-e .[{EXTRAS}]"]
    python = next(entry for entry in conda["dependencies"] if str(entry).startswith("python="))
    lowest = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert lowest.contains(python.removeprefix("python="))


def test_no_machine_is_named_in_what_is_committed():
    for name in ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|file://|index-url|find-links|/home/|/work/", text), name
