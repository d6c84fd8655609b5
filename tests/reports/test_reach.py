"""The page is reached by everybody: at every width, by keyboard and reader, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from .browser import Page, browser

pytestmark = pytest.mark.browser

NAMELESS = """
[...document.querySelectorAll('a, button, select, input, summary, [role=region], [role=img]')]
  .filter(part => ![part, ...(part.labels || [])].some(it => it.ariaLabel || it.textContent.trim()))
  .map(part => part.outerHTML.slice(0, 120))
"""
HEADINGS = (
    "[...document.querySelectorAll('main :is(h1, h2, h3, h4)')].map(part => +part.tagName[1])"
)
REGIONS = "[...document.querySelectorAll('[role=region]')].map(part => part.ariaLabel)"
IDS = "[...document.querySelectorAll('[id]')].map(part => part.id)"
EMPTY_HEADS = """
[...document.querySelectorAll('th')]
  .filter(part => !(part.textContent.trim() || part.querySelector('[aria-label]')))
  .map(part => part.closest('section').id + part.parentElement.outerHTML.slice(0, 200))
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_contents_and_filters_stay_in_sight(tab: Page, report: Path, width: int) -> None:
    tab.open(report, width)
    tab.eval("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")
    for part in (".toc", "#sieve summary"):
        top = tab.eval(f"document.querySelector('{part}').getBoundingClientRect().top")
        assert 0 <= top < 900


@pytest.mark.parametrize("width", [360, 1600])
def test_every_entry_of_the_contents_lands_on_its_heading(
    tab: Page, report: Path, width: int
) -> None:
    tab.open(report, width)
    bar = "document.querySelector('.rail').getBoundingClientRect()"
    for name in tab.eval("[...document.querySelectorAll('.toc a')].map(link => link.hash)"):
        tab.eval("document.documentElement.style.scrollBehavior = 'auto'")
        tab.eval(f"document.querySelector('.toc a[href=\"{name}\"]').click();"
                 "new Promise(r => setTimeout(r, 60))")  # fmt: skip
        top = tab.eval(f"document.querySelector('{name} :is(h1, h2)').getBoundingClientRect().top")
        covered = tab.eval(f"{bar}.width > innerWidth / 2 ? {bar}.bottom : 0")
        at_end = tab.eval("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        assert covered <= top < 900 * (1 if at_end else 0.4), name


def test_everything_has_a_name_and_an_order(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    tab.eval("document.querySelector('#grid tr:not(.sum) td.known').click()")
    assert tab.eval(NAMELESS) == []
    assert tab.eval(EMPTY_HEADS) == []
    levels = tab.eval(HEADINGS)
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for names in (tab.eval(REGIONS), tab.eval(IDS)):
        assert len(names) == len(set(names)), sorted(n for n in names if names.count(n) > 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_can_be_read(tab: Page, report: Path, scheme: str) -> None:
    """The contrast that WCAG asks of small text, 4.5 to 1, of each sign on its colour."""
    tab.open(report, 1600, scheme=scheme)
    for name in ("agree", "explained", "known", "new", "neutral"):
        look = f"getComputedStyle(document.querySelector('.legend .mark.{name}'))"
        back, ink = (tab.eval(f"{look}.{it}") for it in ("backgroundColor", "color"))
        assert contrast(back, ink) >= 4.5, name


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of `rgb(…)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_keyboard_opens_a_cell_and_comes_back(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    tab.eval("document.querySelector('#grid td[tabindex=\"0\"]').focus()")
    event = "new KeyboardEvent('keydown', {key: KEY, bubbles: true})"
    press = f"document.activeElement.dispatchEvent({event})"
    tab.eval(press.replace("KEY", "' '"))
    assert tab.eval("document.querySelector('#cell').contains(document.activeElement)")
    tab.eval(press.replace("KEY", "'Escape'"))
    assert tab.eval("document.activeElement.getAttribute('role')") == "gridcell"


def test_paper_is_spared(tab: Page, report: Path) -> None:
    tab.open(report, 1200)
    made = tab.printed()
    assert len(made) < 5_000_000
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", made)) <= 20
