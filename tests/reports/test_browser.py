"""The page in a browser: scripts run, nothing is fetched, it fits, and it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import sample
from .browser import Page, browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


def state(tab: Page) -> dict[str, Any]:
    result: dict[str, Any] = tab.eval("({...document.documentElement.dataset})")
    return result


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1600])
def test_it_runs_and_fits(tab: Page, report: Path, width: int, scheme: str) -> None:
    tab.open(report, width, scheme=scheme)
    assert state(tab) == {"ready": "true", "fits": "true"}  # neither errors nor blocked
    assert tab.requests == [report.as_uri()]
    assert tab.messages == []
    assert tab.eval("document.documentElement.scrollWidth") <= width
    assert tab.eval("window.hacked === undefined")


def test_it_fits_with_everything_open(tab: Page, report: Path) -> None:
    tab.open(report, 360)
    tab.eval("document.querySelectorAll('details').forEach(part => part.open = true)")
    tab.eval("new Promise(r => setTimeout(r, 300))")
    assert tab.eval("document.documentElement.scrollWidth") <= 360
    assert "errors" not in state(tab)
    assert tab.eval("window.hacked === undefined")


def test_an_empty_run_opens(tab: Page, tmp_path: Path) -> None:
    from lossdiff.reports.html import write_report

    write_report([sample.empty(tmp_path / "empty.sqlite")], tmp_path / "empty.html")
    tab.open(tmp_path / "empty.html", 360)
    assert state(tab) == {"ready": "true", "fits": "true"}


def test_a_cell_shows_its_counts_and_what_is_behind_it(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    tab.eval("document.querySelector('#unfold').click()")
    cell = "document.querySelector('#grid tr:not(.sum) td.known[aria-label*=nonfinite]')"
    tab.eval(f"{cell}.focus()")
    assert "known: " in tab.eval("document.querySelector('#tip').textContent")
    label = tab.eval(f"{cell}.getAttribute('aria-label')")
    tab.eval(f"{cell}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true}}))")
    assert label.split(",")[0] in tab.eval("document.querySelector('#cell h3').textContent")
    text = tab.eval("document.querySelector('#cell').textContent")
    for part in ("right-221.48", "givennan", "input", "row [1]", "lossdiff repro sample.sqlite"):
        assert part in text
    assert "Who else, on the same question" in text
    tab.eval("dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}))")
    assert tab.eval("document.querySelector('#cell').hidden")
    assert tab.eval("document.activeElement.getAttribute('aria-label')") == label


@pytest.mark.parametrize("look", ["agree", "explained"])
def test_a_cell_without_a_finding_opens_too(tab: Page, report: Path, look: str) -> None:
    tab.open(report, 1600)
    tab.eval(f"document.querySelector('#grid tr:not(.sum) td.{look}').click()")
    text = tab.eval("document.querySelector('#cell').textContent")
    assert "input" in text
    assert ("lossdiff repro" in text) == (look == "explained")
    assert "errors" not in state(tab)


def test_the_address_holds_the_filters_and_the_open_cell(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    sift(tab, "framework", "jax")
    tab.eval("document.querySelector('#grid tr:not(.sum) td.explained').click()")
    address = tab.eval("location.hash")
    text, shown = (
        tab.eval(f"document.querySelector('{it}').textContent") for it in ("#cell", "#shown")
    )
    tab.open(report, 1600)
    tab.eval(f"location.hash = {address!r}; new Promise(r => setTimeout(r, 300))")
    assert tab.eval("filters.elements.framework.value") == "jax"
    assert tab.eval("document.querySelector('#cell').textContent") == text
    assert tab.eval("document.querySelector('#shown').textContent") == shown
    tab.eval("location.hash = '#timings'; new Promise(r => setTimeout(r, 300))")
    assert tab.eval("location.hash").startswith("#timings?framework=jax")


def test_an_address_that_says_nothing_known_is_harmless(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    for address in ("#none", "#matrix?framework=none&of=a&in=b&on=c", "#%E0%A4%A?%%%", "#?&=&"):
        tab.eval(f"location.hash = {address!r}; new Promise(r => setTimeout(r, 100))")
        assert state(tab) == {"ready": "true", "fits": "true"}


def test_filters_reach_every_section(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    sift(tab, "framework", "jax")
    shown = "[...document.querySelectorAll('main [data-framework]:not([hidden])')]"
    named = tab.eval(f"{shown}.map(part => part.dataset.framework)")
    theirs = {"jax", "JAX", "Optax"}
    assert [libraries for libraries in named if not theirs & set(libraries.split("|"))] == []
    sections = set(tab.eval(f"{shown}.map(part => part.closest('section').id)"))
    assert sections >= {"domain", "timings"}


def sift(tab: Page, name: str, value: str) -> None:
    """Choose one value of a filter."""
    tab.eval(
        f"filters.elements.{name}.value = '{value}';"
        "filters.dispatchEvent(new Event('input', {bubbles: true}));"
        "new Promise(r => setTimeout(r, 400))"
    )


def test_arrow_keys_walk_the_matrix(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    event = "new KeyboardEvent('keydown', {key: 'KEY', bubbles: true})"
    tab.eval("document.querySelector('#grid td[tabindex=\"0\"]').focus()")
    for key in ("ArrowRight", "ArrowDown"):
        tab.eval(f"document.activeElement.dispatchEvent({event.replace('KEY', key)})")
    assert tab.eval("document.activeElement.about.place.join()") == "1,1"
    assert tab.eval("document.querySelectorAll('#grid td[tabindex=\"0\"]').length") == 1


@pytest.mark.parametrize(
    ("name", "value", "looks"),
    [("framework", "torch", False), ("look", "new", True), ("text", "broken_softmax", False)],
)
def test_filters_hold_in_matrix_and_findings(
    tab: Page, report: Path, name: str, value: str, looks: bool
) -> None:
    tab.open(report, 1600)
    before = tab.eval("document.querySelector('#shown').textContent")
    sift(tab, name, value)
    assert before != tab.eval("document.querySelector('#shown').textContent")
    shown = tab.eval("document.querySelectorAll('#findings .cause:not([hidden])').length")
    assert 0 < shown < tab.eval("document.querySelectorAll('#findings .cause').length")
    if looks:
        other = tab.eval("document.querySelectorAll('#findings .cause.known:not([hidden])').length")
        assert other == 0
    assert "errors" not in state(tab)


def test_a_cause_opens_by_a_key_with_what_every_library_gives(tab: Page, report: Path) -> None:
    tab.open(report, 360)
    tab.eval(
        "document.querySelectorAll('#findings .folded').forEach(part => { part.open = true; })"
    )
    tab.eval("document.querySelector('#findings .cause.known:not([open]) > summary').focus()")
    for kind in ("keyDown", "keyUp"):
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        tab.call("Input.dispatchKeyEvent", type=kind, **key)
    tab.eval("new Promise(r => setTimeout(r, 200))")
    opened = "document.activeElement.parentElement"
    assert tab.eval(f"{opened}.open")
    assert tab.eval(f"{opened}.querySelectorAll('.gives tbody tr').length") == 3
    assert sample.HOSTILE in tab.eval(f"{opened}.textContent")
    assert tab.eval(f"{opened}.querySelector('.copy code').textContent").startswith("lossdiff ")
    assert state(tab) == {"ready": "true", "fits": "true"}


def test_an_address_of_a_cause_opens_it(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    name = tab.eval("[...document.querySelectorAll('.cause[id]:not([open])')].pop().id")
    tab.eval(f"location.hash = {name!r}; new Promise(r => setTimeout(r, 200))")
    assert tab.eval(f"document.getElementById({name!r}).open")


def test_the_chart_of_the_domain_can_be_chosen(tab: Page, report: Path) -> None:
    tab.open(report, 360)
    labels = "document.querySelector('#domain-chart').textContent"
    assert "88.7 torch.textbook.softmax_unshifted" in tab.eval(labels)
    choose(tab, "operation", "cross_entropy")
    assert "cross_entropy_unshifted" in tab.eval(labels)
    assert "softmax_unshifted" not in tab.eval(labels)
    choose(tab, "sweep", "classes")
    assert tab.eval("document.querySelector('#domain-none').hidden === false")
    assert tab.eval("document.querySelector('#domain-chart').hidden")
    assert state(tab) == {"ready": "true", "fits": "true"}


def choose(tab: Page, name: str, value: str) -> None:
    tab.eval(
        f"pick.elements.{name}.value = '{value}';"
        "pick.dispatchEvent(new Event('input', {bubbles: true}));"
        "new Promise(r => setTimeout(r, 300))"
    )


def test_the_filters_hold_in_the_domain(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    sift(tab, "framework", "jax")
    shown = tab.eval(
        "[...document.querySelectorAll('#domain [data-framework]:not([hidden])')]"
        ".map(row => row.dataset.framework)"
    )
    assert set(shown) <= {"jax", "JAX"}


def test_a_table_is_sorted_by_numbers_both_ways(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    table = "document.querySelector('#domain .sortable')"
    ends = f"[...{table}.tBodies[0].rows].map(row => Number(row.cells[1].dataset.sort))"
    for order in ("ascending", "descending"):
        tab.eval(f"{table}.querySelectorAll('thead button')[1].click()")
        assert tab.eval(f"{table}.querySelector('[aria-sort]').ariaSort") == order
        found = tab.eval(ends)
        assert found == sorted(found, reverse=order == "descending")
    assert len(set(tab.eval(ends))) > 2


def test_libraries_are_filtered_by_the_names_that_their_users_know(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    options = tab.eval("[...filters.elements.framework.options].map(option => option.value)")
    assert {"JAX", "PyTorch", "SciPy", "jax"} <= set(options)
    sift(tab, "framework", "SciPy")
    rows = "[...document.querySelectorAll('#grid tr:not(.sum) th.who')].map(it => it.title)"
    assert {name.partition(".")[0] for name in tab.eval(rows)} == {"scipy"}


def test_what_an_address_names_wrongly_is_said(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    said = "document.querySelector('#astray:not([hidden])')"
    wait = "new Promise(r => setTimeout(r, 200))"
    tab.eval(f"location.hash = '#matrix?framework=mxnet'; {wait}")
    assert "mxnet" in tab.eval(f"{said}.textContent")
    tab.eval(f"location.hash = '#nonsense'; {wait}")
    assert "nonsense" in tab.eval(f"{said}.textContent")
    tab.eval(f"location.hash = '#matrix?framework=pytorch'; {wait}")
    assert tab.eval("filters.elements.framework.value") == "PyTorch"
    assert tab.eval(said) is None


def test_a_card_that_is_opened_by_hand_is_in_the_address_and_back_leaves_it(
    tab: Page, report: Path
) -> None:
    tab.open(report, 1600)
    name = tab.eval("[...document.querySelectorAll('#findings .cause[id]:not([open])')].pop().id")
    tab.eval(f"document.getElementById({name!r}).querySelector('summary').click()")
    assert tab.eval("location.hash") == f"#{name}"
    tab.eval("history.back(); new Promise(r => setTimeout(r, 300))")
    assert tab.eval("location.hash") == ""
    assert tab.eval("document.documentElement.dataset.ready") == "true"


def test_a_section_without_anything_that_passes_says_that_alone(tab: Page, report: Path) -> None:
    tab.open(report, 1600)
    sift(tab, "text", "zzzz")
    seen = "[...document.querySelector('#explained').children].filter(it => it.offsetHeight)"
    assert tab.eval(f"{seen}.map(it => it.tagName).join()") == "H2,P"
    assert "of" in tab.eval("document.querySelector('#findings [data-tally]').textContent")
