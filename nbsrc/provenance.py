"""Where numbers come from: versions, processor and threads, without host names."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

__all__ = ["processor_name", "provenance"]

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn")


def provenance(*, device: str = "cpu") -> dict[str, Any]:
    """Return what a reader needs to judge a recorded number, as plain JSON values.

    Args:
        device: The torch device that computes.

    Returns:
        Time of recording (UTC), commit of the checkout, package versions, operating system and
        processor, cores, the number of threads torch uses, and the device's name if it is no CPU.
    """
    accelerator = {} if device == "cpu" else {"device": torch.cuda.get_device_name(device)}
    return accelerator | {
        "commit": _commit(),
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


def _commit() -> str | None:
    """Return the commit of the checkout, marked if files differ from it; None outside of one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(
            [*command, "--abbrev=12", "--exclude=*"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _installed_versions() -> dict[str, str]:
    """Return the versions of the packages that numbers depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
