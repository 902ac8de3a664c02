"""What can be wrong with a data set, in one sentence with the way out."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib

__all__ = ["UNREADABLE", "DamagedDataError", "MissingDataError", "first_line"]

#: What numpy, zipfile, scipy and torchvision raise for files that are truncated, damaged or of
#: another kind.
UNREADABLE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, zlib.error, struct.error, pickle.UnpicklingError, EOFError, ValueError,
    LookupError, TypeError, AttributeError, AssertionError, RuntimeError, OverflowError,
    MemoryError, SyntaxError, OSError,
)  # fmt: skip


class MissingDataError(FileNotFoundError):
    """A data set is not in the data root; the message names the root and the command."""


class DamagedDataError(ValueError):
    """A file is unreadable or holds something else; the message names it and the way out."""


def first_line(error: BaseException) -> str:
    """Return the reason of an error on one line.

    Args:
        error: The error.

    Returns:
        Its first line without a full stop, or the name of its class if it has no text.
    """
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
