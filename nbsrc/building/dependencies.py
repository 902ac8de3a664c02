"""Which files of the project a notebook or module depends on, found by reading imports.

The scan is static and errs on the side of too many: imports inside functions, under
``TYPE_CHECKING`` and by ``importlib.import_module("nbsrc...")`` all count, and so does the
``__init__`` of every package on the way.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from nbsrc.building.source import Source

_DATA_FOLDERS = ("results", "experiments")
_NAME = re.compile(r"[\w./-]{1,200}\.\w{1,8}")


class DependencyScan:
    """Follows imports of one package through its source files.

    Args:
        package: Folder of the package, for example ``<root>/nbsrc``.
    """

    def __init__(self, package: Path) -> None:
        self.package = package
        self.root = package.parent

    def of_source(self, source: Source) -> list[Path]:
        """Find what a notebook depends on besides itself.

        Args:
            source: The notebook.

        Returns:
            Package files it imports, transitively, and data files these name, sorted.

        Raises:
            ValueError: If a code cell is not Python.
        """
        trees = []
        for number, code in enumerate(source.code, start=1):
            try:
                trees.append(ast.parse(code))
            except SyntaxError as error:
                raise ValueError(
                    f"{source.path}: code cell {number} is not valid Python: {error.msg} "
                    f"(line {error.lineno} of the cell)"
                ) from error
        names = {name for tree in trees for name in self._imports(tree, package="")}
        data = {path for tree in trees for path in self._named_files(tree, self.root)}
        return sorted(self._closure(names) | data)

    def of_modules(self, names: Iterable[str]) -> list[Path]:
        """Find what some modules depend on, themselves included.

        Args:
            names: Dotted module names, for example ``nbsrc.experiments``.

        Returns:
            Package files, transitively, and data files these name, sorted.
        """
        return sorted(self._closure(set(names)))

    def _closure(self, names: set[str]) -> set[Path]:
        waiting = list(names)
        seen: set[Path] = set()
        while waiting:
            for path in self._files(waiting.pop()):
                if path in seen:
                    continue
                seen.add(path)
                if path.suffix == ".py":
                    imported, data = self._contents(path)
                    waiting.extend(imported)
                    seen.update(data)
        return seen

    @cache  # noqa: B019  (a scan lives as long as one build)
    def _contents(self, path: Path) -> tuple[frozenset[str], frozenset[Path]]:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        parts = path.relative_to(self.root).with_suffix("").parts
        package = ".".join(parts[:-1])
        return (
            frozenset(self._imports(tree, package)),
            frozenset(self._named_files(tree, path.parent)),
        )

    def _files(self, name: str) -> Iterator[Path]:
        """Yield the files that importing a dotted name runs, in this package only.

        Args:
            name: Dotted name of a module, or of something inside a module.

        Yields:
            The ``__init__`` files on the way and the module's own file.
        """
        parts = name.split(".")
        if parts[0] != self.package.name:
            return
        folder = self.root
        for part in parts:
            module = folder / f"{part}.py"
            folder /= part
            if (folder / "__init__.py").is_file():
                yield folder / "__init__.py"
            elif module.is_file():
                yield module
                return
            else:
                return

    def _imports(self, tree: ast.AST, package: str) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = _absolute(node, package)
                # every name may be a submodule, `_files` ignores those that are not
                yield from (f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Call):
                yield from self._import_module(node, package)

    def _import_module(self, node: ast.Call, package: str) -> Iterator[str]:
        """Yield the module of ``import_module("literal")`` or ``__import__("literal")``.

        Args:
            node: Any call.
            package: Package of the calling module, for relative names.

        Yields:
            The absolute dotted name.
        """
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name not in {"import_module", "__import__"} or not node.args:
            return
        argument = node.args[0]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            dotted = argument.value
            yield f"{package}.{dotted.lstrip('.')}" if dotted.startswith(".") else dotted

    def _named_files(self, tree: ast.AST, folder: Path) -> Iterator[Path]:
        """Yield files of the project that string literals name.

        Args:
            tree: Parsed code.
            folder: Folder of the code; data files beside it count.

        Yields:
            Existing files in ``results``, ``experiments`` or the package itself.
        """
        bases = [self.root, *(self.root / name for name in _DATA_FOLDERS)]
        if folder != self.root:
            bases.append(folder)
        inside = [self.package, *(self.root / name for name in _DATA_FOLDERS)]
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            if not _NAME.fullmatch(node.value):
                continue
            for base in bases:
                path = base / node.value
                if path.is_file() and any(path.is_relative_to(place) for place in inside):
                    yield path


def string_constants(source: Source) -> set[str]:
    """Collect the string literals of a notebook's code, for example claim ids.

    Args:
        source: The notebook.

    Returns:
        All of them.
    """
    return {
        node.value
        for code in source.code
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)
