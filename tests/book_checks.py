"""What must be true of every page of the rendered book.

Each checker takes parsed pages and returns a list of problems, one line each. `test_book.py` runs
them on the book, `test_book_checks.py` on small bad pages to show that each can find something.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, NavigableString, Tag
from bs4.element import Comment, Doctype
from sphinx.search.en import SearchEnglish

from tests.book_links import redirections

Pages = Mapping[str, BeautifulSoup]

IMAGE_NAME = re.compile(r"\.(svg|png|jpe?g|gif|webp)\b|^_images|^[0-9a-f]{16,}", re.IGNORECASE)
SHORTEST_ALT = 20  # "Bar chart of norms" already says too little

# Elements whose text is shown as it is: code, and formulas that MathJax sets.
VERBATIM = {"code", "pre", "script", "style", "kbd", "samp", "template", "textarea", "title"}
RAW_MYST = {
    "role": re.compile(r"\{[a-z][\w:.+-]*\}`"),
    "directive or fence": re.compile(r":::|```|~~~"),
    "name of a role": re.compile(r"\{(glue|prf|cite|ref|eq|numref|doc|claim|download|math)\b"),
    "display maths": re.compile(r"\$\$"),
    "inline maths": re.compile(r"(?<![\w$])\$[^$\n]{1,200}\$(?![\w$])"),
    "TeX command": re.compile(
        r"\\(frac|[lr]Vert|operatorname|math[a-z]+|begin|sum|ell|le|ge)(?![a-z])"
    ),
    "target": re.compile(r"^\([\w.-]+\)=\s*$", re.MULTILINE),
    "link": re.compile(r"\]\((?:[\w./-]+)?(?:\.md|\.ipynb|#)[^)]*\)"),
}
# Two backslashes are also TeX's line break. After one come a space, a bracket, another command or a
# single letter, but not directly the name of a command.
DOUBLED_COMMAND = re.compile(
    r"(?<!\\)\\\\(?:ell|sqrt|frac|[lr]Vert|operatorname|math(?:bb|bf|cal|rm)|text|sum|max|min|in|le|ge"
    r"|cdot|times|sigma|gamma|infty)(?![a-zA-Z])"
)
UNRESOLVED = re.compile(
    r"\?\?|\[\?\]|undefined label|unknown document|undefined citation|unknown claim id"
    r"|key not found|No such (?:figure|table|equation)",
    re.IGNORECASE,
)
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|An Exception was encountered at"
    r"|Execution using papermill encountered an exception"
)
# sphinx-proof and sphinx-exercise give the body of every block the same id; nothing links to it.
REPEATED_IDS = {"proof-content", "exercise-content", "solution-content"}


def load_pages(root: Path) -> dict[str, BeautifulSoup]:
    """Parse every page under a folder; keys are paths relative to it, with forward slashes."""
    return {
        path.relative_to(root).as_posix(): parse(path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.html"))
        if "_static" not in path.relative_to(root).parts
    }


def parse(text: str) -> BeautifulSoup:
    """Parse one page."""
    return BeautifulSoup(text, "html.parser")


def _content(page: BeautifulSoup) -> Tag:
    """Return the part of a page between navigation and footer; the whole page if there is none."""
    return page.find("article") or page.find("main") or page


def figures(page: BeautifulSoup) -> list[Tag]:
    """Return the pictures that notebooks drew."""
    return page.select(".cell_output img, figure img")


def poor_alternatives(pages: Pages) -> list[str]:
    """List figures without a telling text alternative, and any picture without the attribute."""
    problems = []
    for name, page in pages.items():
        drawn = figures(page)
        for image in page.find_all("img"):
            alt, source = image.get("alt"), image.get("src", "?")
            if alt is None:
                problems.append(f"{name}: {source} has no alt attribute")
            elif any(image is figure for figure in drawn) and not _tells(str(alt)):
                problems.append(f"{name}: {source} has the text alternative {alt!r}")
    return problems


def _tells(alt: str) -> bool:
    return len(alt.strip()) >= SHORTEST_ALT and " " in alt.strip() and not IMAGE_NAME.search(alt)


def visible_text(page: BeautifulSoup) -> str:
    """Return a page's own text without code and formulas, one line per block of text."""
    pieces = []
    for string in _content(page).find_all(string=True):
        if isinstance(string, (Comment, Doctype)) or _is_verbatim(string):
            continue
        pieces.append(str(string))
    return "\n".join(pieces)


def _is_verbatim(string: NavigableString) -> bool:
    for parent in string.parents:
        classes = set(parent.get("class") or [])
        if parent.name in VERBATIM or classes & {"math", "highlight", "amsmath"}:
            return True
    return False


def tracebacks(pages: Pages) -> list[str]:
    """List pages that show an error of a notebook, or what it wrote to the error stream."""
    problems = []
    for name, page in pages.items():
        match = TRACEBACK.search(_content(page).get_text())
        if match:
            problems.append(f"{name}: {match.group(0)!r}")
        shown = [kind for kind in ("traceback", "stderr") if page.select(f".output.{kind}")]
        problems += [f"{name}: output of class {kind}" for kind in shown]
    return problems


def raw_myst(pages: Pages) -> list[str]:
    """List source text that was shown and not rendered."""
    problems = []
    for name, page in pages.items():
        text = visible_text(page)
        for kind, pattern in RAW_MYST.items():
            found = (match.group(0) for match in pattern.finditer(text))
            problems += [f"{name}: raw {kind}: {source!r}" for source in found]
        messages = page.select(".problematic, .system-message")
        problems += [f"{name}: {tag.get_text()!r}" for tag in messages]
    return problems


def doubled_backslashes(pages: Pages) -> list[str]:
    r"""List formulas in which a command was escaped twice: ``\\ell`` is a line break and "ell"."""
    problems = []
    for name, page in pages.items():
        for formula in page.select(".math"):
            found = (match.group(0) for match in DOUBLED_COMMAND.finditer(formula.get_text()))
            problems += [f"{name}: {command!r} in a formula" for command in found]
    return problems


def unresolved_references(pages: Pages) -> list[str]:
    """List references that lead nowhere: left as text, or set as question marks.

    Types in the API reference (class ``py``) are left out: other libraries' have no target here.
    """
    problems = []
    for name, page in pages.items():
        found = (match.group(0) for match in UNRESOLVED.finditer(visible_text(page)))
        problems += [f"{name}: {words!r}" for words in found]
        for tag in _content(page).select(".xref:not(.py)"):
            if tag.find_parent("a") is None:
                problems.append(f"{name}: reference without a link: {tag.get_text()!r}")
    return problems


def leaked_paths(pages: Pages, folder: Path) -> list[str]:
    """List pages that name a folder of the machine that built them."""
    named = (name for name, page in pages.items() if str(folder) in page.get_text())
    return [f"{name}: names {folder}" for name in named]


def poor_structure(pages: Pages) -> list[str]:
    """Check language, title, one first heading, headings in order, ids used once."""
    problems = []
    for name, page in pages.items():
        if redirections(page):
            continue
        html = page.find("html")
        if html is None or not str(html.get("lang") or "").strip():
            problems.append(f"{name}: no language")
        if page.title is None or not page.title.get_text().split("—")[0].strip():
            problems.append(f"{name}: no title")
        levels = [int(tag.name[1]) for tag in _content(page).find_all(re.compile(r"^h[1-6]$"))]
        if levels.count(1) != 1:
            problems.append(f"{name}: {levels.count(1)} headings of the first level")
        for above, below in pairwise(levels):
            if below > above + 1:
                problems.append(f"{name}: a heading of level {below} follows one of level {above}")
        ids = Counter(str(tag["id"]) for tag in page.find_all(id=True))
        repeated = {key: n for key, n in ids.items() if n > 1 and key not in REPEATED_IDS}
        problems += [f"{name}: id {key!r} is used {n} times" for key, n in repeated.items()]
    return problems


def search(index: str, phrase: str) -> set[str]:
    """Find the pages that hold every word of a phrase, as the search page does.

    Args:
        index: Text of ``searchindex.js``.
        phrase: The words.

    Returns:
        Names of the pages, without suffix.
    """
    data: dict[str, Any] = json.loads(index[index.index("{") : index.rindex("}") + 1])
    stemmer = SearchEnglish({})
    found = set(range(len(data["docnames"])))
    for word in phrase.lower().split():
        hits: set[int] = set()
        for table in ("terms", "titleterms"):
            entry = data[table].get(stemmer.stem(word), [])
            hits |= {entry} if isinstance(entry, int) else set(entry)
        found &= hits
    return {data["docnames"][number] for number in found}
