"""Files that are either complete or absent: atomic writes, and where the project lies."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any


def project_root() -> Path:
    """Find the folder that holds ``pyproject.toml``, whatever the working directory is.

    Returns:
        The parent folder of the installed (editable) package.

    Raises:
        FileNotFoundError: If the package does not lie in a checkout of the project.
    """
    root = Path(__file__).resolve().parent.parent
    if not (root / "pyproject.toml").is_file():
        raise FileNotFoundError(
            f"nbsrc is installed in {root}, which has no pyproject.toml: this function needs a "
            "checkout of the project (pip install -e)"
        )
    return root


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that readers see the old content or the new one, never a part.

    The data go to a temporary file in the same folder, which then replaces the target.

    Args:
        path: File to write; missing folders are created.
        data: The whole content.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)  # mkstemp makes files only their owner can read
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file in one step (see `write_bytes_atomic`).

    Args:
        path: File to write; missing folders are created.
        text: The whole content.
    """
    write_bytes_atomic(path, text.encode("utf-8"))


def write_json_atomic(path: str | os.PathLike[str], obj: Any, *, sort_keys: bool = True) -> None:
    """Write an object as JSON in one step, the same bytes for the same object.

    Args:
        path: File to write; missing folders are created.
        obj: Anything JSON can hold; NaN and infinities are a ``ValueError``.
        sort_keys: Whether mappings are written in the order of their keys; else in their own.
    """
    text = json.dumps(obj, indent=1, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    write_text_atomic(path, text + "\n")


def copy_if_changed(source: Path, target: Path) -> bool:
    """Copy a file in one step, unless the target already has the same bytes.

    Leaving an equal file alone keeps its time stamp, by which Sphinx decides what to read again.

    Args:
        source: File to copy.
        target: Where to.

    Returns:
        Whether the target was written.
    """
    data = source.read_bytes()
    if target.is_file() and target.read_bytes() == data:
        return False
    write_bytes_atomic(target, data)
    return True


def replace_folder(source: Path, target: Path) -> None:
    """Put a finished folder in the place of another one.

    Folders cannot be exchanged in one system call portably, so there are two renames; a crash
    between them leaves no target, and `recover_folder` puts the old one back.

    Args:
        source: Finished folder on the same file system; it is moved.
        target: Folder to replace; it may be missing.
    """
    old = _old_name(target)
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def recover_folder(target: Path) -> bool:
    """Undo a `replace_folder` that was killed between its two renames.

    Args:
        target: The folder that `replace_folder` was to replace.

    Returns:
        Whether there was something to put back.
    """
    old = _old_name(target)
    if target.exists() or not old.is_dir():
        return False
    old.rename(target)
    return True


def _old_name(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")
