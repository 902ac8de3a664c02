"""Making the book: Jupyter Book in a scratch folder, exchanged for the old book when finished.

The sources read last time are kept, so that only changed pages are read again; every page is
written again, because only then are its references to other pages checked anew. When anything
that shapes all pages changed, or the last build did not finish cleanly, everything starts afresh.

``python -m nbsrc.building.book`` is the process that runs Sphinx; it is started by `make_book`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from nbsrc.building.layout import Layout
from nbsrc.building.processes import (
    ProcessTimeoutError,
    die_with_parent,
    exclusive,
    run_supervised,
)
from nbsrc.building.store import digest
from nbsrc.files import recover_folder, replace_folder, write_json_atomic, write_text_atomic

_GENERATED_FOLDERS = {"notebooks", "_generated", "_build"}
_GENERATED_PAGES = re.compile(r"(ledger.*|status)\.md")
_PROBLEM = re.compile(r"WARNING|ERROR|CRITICAL|Traceback|Exception|Error:")
_SHOWN_PROBLEMS = 40
_LIMIT = 1200.0  # seconds


class BookError(RuntimeError):
    """The book could not be made; the message lists the problems."""


def book_sources(root: Path) -> list[Path]:
    """List the written (not generated) files that the book is made from.

    Args:
        root: The project.

    Returns:
        Configuration, pages, references and static files, sorted.
    """
    book = root / "book"
    found = [
        path
        for path in book.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(book).parts)
        and path.relative_to(book).parts[0] not in _GENERATED_FOLDERS
        and not (path.parent == book and _GENERATED_PAGES.fullmatch(path.name))
    ]
    return sorted([root / "_config.yml", *found])


def make_book(layout: Layout, stamp: Path) -> None:
    """Build the HTML with warnings as errors and put it in the place of the old one.

    Args:
        layout: The project.
        stamp: File written when all is done.

    Raises:
        BookError: If Sphinx warned or failed; the old book stays.
    """
    with exclusive(layout.build / "locks" / "book.lock"):
        _typeset(layout, layout.build / "sphinx")
        fresh = layout.html.with_name(".html.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(layout.build / "sphinx" / "html", fresh)
        replace_folder(fresh, layout.html)
    pages = sorted(path.name for path in layout.html.glob("*.html"))
    write_json_atomic(stamp, {"pages": pages})


def _typeset(layout: Layout, scratch: Path) -> None:
    """Run Sphinx in a scratch folder, on what the last clean run there has read.

    Args:
        layout: The project.
        scratch: Folder of the pages and of Sphinx's own records.

    Raises:
        BookError: If Sphinx warned or failed.
    """
    clean = scratch / "clean"  # says that the last run here ended without a warning
    key = _shaping_key(layout.root)
    if not clean.is_file() or clean.read_text(encoding="utf-8") != key:
        shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, exist_ok=True)
    clean.unlink(missing_ok=True)
    log = layout.logs / "book.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "nbsrc.building.book", str(layout.root), str(scratch)]
    with log.open("w", encoding="utf-8") as stream:
        try:
            status = run_supervised(
                command, seconds=_LIMIT, stdout=stream, stderr=stream, cwd=layout.root
            )
        except ProcessTimeoutError as error:
            raise BookError(f"Sphinx was {error}, log: {log.relative_to(layout.root)}") from None
    if status:
        raise BookError(_problems(log, layout.root))
    write_text_atomic(clean, key)


def recover_book(layout: Layout) -> None:
    """Bring the outputs of an interrupted exchange back into a known state.

    Args:
        layout: The project.
    """
    recover_folder(layout.html)


def _shaping_key(root: Path) -> str:
    """Digest what shapes every page: configuration, contents, references, the set of sources.

    Args:
        root: The project.

    Returns:
        The digest.
    """
    sources = book_sources(root)
    shaping = [path for path in sources if path.suffix in {".yml", ".bib", ".py", ".html"}]
    notebooks = sorted(path.name for path in (root / "book" / "notebooks").glob("*.ipynb"))
    values: dict[str, object] = {"repository": os.environ.get("NBSRC_REPOSITORY_URL")}
    values |= {"sources": [path.relative_to(root).as_posix() for path in sources], "nb": notebooks}
    modules = sorted((root / "nbsrc").rglob("*.py"))
    values["modules"] = [path.relative_to(root).as_posix() for path in modules]
    return digest([*shaping, root / "constraints.txt", Path(__file__)], root, values)


def _problems(log: Path, root: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = _unique(line for line in lines if _PROBLEM.search(line)) or lines[-_SHOWN_PROBLEMS:]
    rest = len(told) - _SHOWN_PROBLEMS
    more = [f"... and {rest} more"] if rest > 0 else []
    listed = "\n".join(f"    {line}" for line in [*told[:_SHOWN_PROBLEMS], *more])
    return f"the book has problems (warnings are errors), log: {log.relative_to(root)}\n{listed}"


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def main(argv: list[str]) -> int:
    """Run Jupyter Book's own Sphinx builder.

    Args:
        argv: Root of the project and scratch folder.

    Returns:
        0 when there was neither an error nor a warning.
    """
    from jupyter_book.sphinx import build_sphinx
    from sphinx.util.console import nocolor

    die_with_parent()
    nocolor()  # the output is a log file

    root, scratch = (Path(name).resolve() for name in argv)
    book = root / "book"
    # the command line of Jupyter Book offers "read changed, write changed" and "read all, write
    # all"; we need "read changed, write all", which its builder function offers
    result = build_sphinx(
        str(book),
        str(scratch / "html"),
        path_config=root / "_config.yml",
        noconfig=True,  # no conf.py: the configuration is all in _config.yml
        confoverrides={
            "external_toc_path": (book / "_toc.yml").as_posix(),
            "latex_individualpages": False,  # the builder asks for it though it makes no LaTeX
            "nitpicky": True,
        },
        doctreedir=str(scratch / "doctrees"),
        force_all=True,
        freshenv=False,
        warningiserror=True,
        keep_going=True,
        use_external_toc=True,
    )
    return 1 if result else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
