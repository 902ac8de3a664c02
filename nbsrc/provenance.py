"""Where numbers come from: versions, processor and threads, without host names."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

__all__ = ["processor_name", "provenance"]

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")


def provenance() -> dict[str, Any]:
    """Return what a reader needs to judge a recorded number, as plain JSON values.

    Returns:
        Time of recording (UTC), package versions, operating system and processor, cores and the
        number of threads torch uses.
    """
    return {
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_installed_versions()},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor_name(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def processor_name() -> str:
    """Return the processor's model, ``"unknown"`` where the system does not say.

    Returns:
        The model name of the first core, or what Python knows of the processor.
    """
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or "unknown"


def _installed_versions() -> dict[str, str]:
    """Return the versions of the packages that numbers depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
