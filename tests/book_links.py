"""Links of the rendered book, and what its pages load.

Each checker takes parsed pages and returns a list of problems, one line each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

Pages = Mapping[str, BeautifulSoup]

EXTERNAL = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
CSS_EXTERNAL = re.compile(r"(@import\s+|url\(\s*)[\"']?\s*(https?:)?//[^\"')\s]*", re.IGNORECASE)
SCRIPT_EXTERNAL = re.compile(r"https?://[^\s\"']+\.(?:js|mjs|css)\b", re.IGNORECASE)
SOURCES = ["script", "img", "source", "iframe", "video", "audio", "embed", "track"]
LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect"}


def broken_links(pages: Pages, root: Path) -> list[str]:
    """Follow every link inside the book, fragments included."""
    anchors = {name: _anchors(page) for name, page in pages.items()}
    problems = []
    for name, page in pages.items():
        addresses = [str(link["href"]) for link in page.find_all(["a", "area"], href=True)]
        for address in [*addresses, *redirections(page)]:
            fault = _fault(name, address, anchors, root)
            if fault:
                problems.append(f"{name}: link {address!r}: {fault}")
    return problems


def redirections(page: BeautifulSoup) -> list[str]:
    """Return where a page sends the reader on; Jupyter Book's index.html is such a page."""
    refresh = page.find_all("meta", attrs={"http-equiv": re.compile("^refresh$", re.IGNORECASE)})
    return [str(tag["content"]).partition("url=")[2].strip() for tag in refresh]


def missing_assets(pages: Pages, root: Path) -> list[str]:
    """List local scripts, styles and images that are not on the disk."""
    problems = []
    for name, page in pages.items():
        for address in _loads(page):
            if EXTERNAL.match(address) or address.startswith("data:"):
                continue
            path = root / _resolve(name, address)
            if not path.is_file():
                problems.append(f"{name}: {address!r} does not exist")
    return problems


def _anchors(page: BeautifulSoup) -> set[str]:
    ids = {str(tag["id"]) for tag in page.find_all(id=True)}
    return ids | {str(tag["name"]) for tag in page.find_all("a", attrs={"name": True})}


def _resolve(name: str, address: str) -> str:
    path = unquote(urlsplit(address).path)
    return normpath(join(dirname(name), path)) if path else name


def _fault(name: str, href: str, anchors: Mapping[str, set[str]], root: Path) -> str:
    """Return what is wrong with a link, or an empty string."""
    parts = urlsplit(href)
    if parts.scheme in {"http", "https", "mailto", "javascript", "data"}:
        return ""
    if parts.scheme or href.startswith("/"):
        return "leaves the book's folder"
    target = _resolve(name, href)
    if target.startswith(".."):
        return "leaves the book's folder"
    if target not in anchors:
        return "" if (root / target).is_file() else f"no file {target}"
    fragment = unquote(parts.fragment)
    if fragment and fragment not in anchors[target]:
        return f"no id {fragment!r} on {target}"
    return ""


def external_loads(pages: Pages) -> list[str]:
    """List scripts, styles, fonts, images and frames that a page would fetch from the web."""
    problems = []
    for name, page in pages.items():
        found = [address for address in _loads(page) if EXTERNAL.match(address)]
        for style in page.find_all("style"):
            found += [match.group(0) for match in CSS_EXTERNAL.finditer(style.get_text())]
        for tag in page.find_all(style=True):
            found += [match.group(0) for match in CSS_EXTERNAL.finditer(str(tag["style"]))]
        for script in page.find_all("script", src=False):
            found += SCRIPT_EXTERNAL.findall(script.get_text())
        problems += [f"{name}: loads {address}" for address in found]
    return problems


def external_loads_of_styles(sheets: Mapping[str, str]) -> list[str]:
    """List what style sheets would fetch from the web."""
    return [
        f"{name}: loads {match.group(0)}"
        for name, text in sheets.items()
        for match in CSS_EXTERNAL.finditer(text)
    ]


def _loads(page: BeautifulSoup) -> Iterator[str]:
    for tag in page.find_all(SOURCES):
        if tag.get("src"):
            yield str(tag["src"])
        for candidate in str(tag.get("srcset", "")).split(","):
            if candidate.strip():
                yield candidate.split()[0]
    for tag in page.find_all("object", data=True):
        yield str(tag["data"])
    for tag in page.find_all("link", href=True):
        if LOADING_LINKS & set(tag.get("rel") or []):
            yield str(tag["href"])
