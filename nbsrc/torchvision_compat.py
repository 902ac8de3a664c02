"""Import torchvision beside a CPU build of torch.

The default torchvision wheel carries compiled operators linked against CUDA libraries. Beside a CPU
build of torch its shared library cannot load, and ``import torchvision`` then stops with
``RuntimeError: operator torchvision::nms does not exist``: the submodule
``torchvision._meta_registrations`` describes operators that were never registered. Models, data
sets and transforms need none of these operators.

:func:`import_torchvision` first tries the plain import. Only when that fails with this very
error does it import again with an empty stand-in for that one submodule. Afterwards ``sys.modules``
holds torchvision and what torchvision imports, and not the stand-in. Compiled operators (``nms``,
``roi_align``) stay unavailable, and torchvision says so itself when one is called.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType

_OPERATOR_SUBMODULE = "torchvision._meta_registrations"
_MISSING_OPERATOR = "operator torchvision::"
_lock = threading.Lock()


def import_torchvision() -> ModuleType:
    """Return the imported package ``torchvision``, also beside a CPU build of torch.

    The only global effect is the one of a successful ``import torchvision``: its modules in
    ``sys.modules``. Where torchvision's operators load, this function is that import, no more.

    Returns:
        The module ``torchvision``.

    Raises:
        ImportError: If torchvision is not installed, or cannot be imported even with the stand-in.
        RuntimeError: What the plain import raised, if that is another error than the known one.
    """
    with _lock:
        imported_before = _torchvision_modules()
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if _MISSING_OPERATOR not in str(error):
                raise
            _forget_modules(_torchvision_modules() - imported_before)
        return _import_without_operators()


def torchvision_models() -> ModuleType:
    """Return ``torchvision.models``, also beside a CPU build of torch.

    Returns:
        The module ``torchvision.models``.

    Raises:
        ImportError: As for :func:`import_torchvision`.
    """
    import_torchvision()
    return importlib.import_module("torchvision.models")


def torchvision_datasets() -> ModuleType:
    """Return ``torchvision.datasets``, also beside a CPU build of torch.

    Returns:
        The module ``torchvision.datasets``.

    Raises:
        ImportError: As for :func:`import_torchvision`.
    """
    import_torchvision()
    return importlib.import_module("torchvision.datasets")


def _import_without_operators() -> ModuleType:
    """Return torchvision, imported with an empty module for its operator descriptions.

    Raises:
        ImportError: If that fails too.
    """
    imported_before = _torchvision_modules()
    sys.modules[_OPERATOR_SUBMODULE] = ModuleType(
        _OPERATOR_SUBMODULE, "Empty stand-in: torchvision's compiled operators did not load."
    )
    try:
        return importlib.import_module("torchvision")
    except Exception as error:
        # A half-imported package would make the next import fail in a different, puzzling way.
        _forget_modules(_torchvision_modules() - imported_before)
        raise ImportError(
            "torchvision cannot be imported beside this build of torch, even without its compiled "
            f"operators: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.modules.pop(_OPERATOR_SUBMODULE, None)


def _torchvision_modules() -> set[str]:
    """Return the names in ``sys.modules`` that belong to torchvision."""
    return {name for name in sys.modules if name.split(".", 1)[0] == "torchvision"}


def _forget_modules(names: set[str]) -> None:
    """Remove modules from ``sys.modules``."""
    for name in names:
        sys.modules.pop(name, None)
