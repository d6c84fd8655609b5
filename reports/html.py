"""Write the HTML report: one file that opens anywhere, without a network.

The templates show tables that are computed here. The matrix, the list of findings and the charts
are drawn by scripts in the page from two JSON texts.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..harness.causes import label_of
from ..harness.runfile import RunFile
from ..outputs import Kind, shown, write_output
from ..printing import printable
from . import accuracy, numbers, tables
from .cards import cards, headline_causes
from .changes import changes_of
from .commands import path_of
from .compared import compared
from .conventions import convention_lines, meanings
from .domain import Domain, domain_of, meaning
from .domain_chart import domain_charts
from .edges import edge_table
from .figures import key, time_axis
from .finding_parts import finding_parts, own_causes
from .findings import alarms, groups, together
from .functions import functions
from .invariance import COLUMNS as INVARIANCES
from .invariance import invariance_lines
from .legend import CLASSES, MARKS, mark_of
from .opening import opening
from .payload import payload, to_json
from .relations import equivalence_rows, latest, relation_tables, repeat_tables
from .survey import TEXTBOOK, Survey, survey
from .textbook import breaks, formulas
from .timings import TimingTable, left_out, threads_of, timing_tables
from .trends import trends_of
from .trust import trust_of
from .worry import worry

_TEMPLATES = "lossdiff.reports.templates"
_STYLES = ("report.css", "causes.css", "panel.css", "print.css")
_SCRIPTS = (
    "state.js", "address.js", "matrix.js", "panel.js", "findings.js", "domain.js", "sift.js",
    "report.js",
)  # fmt: skip
_ISSUE = re.compile(r"https://github\.com/([^/]+/[^/]+)/(?:issues|pull)/(\d+)\S*")
_BREAKS = re.compile(r"(?<=[./_])|(?<=[a-z])(?=[A-Z][a-z])")
_FIRST_NEW = 6
_ANY_RUN = "RUN.sqlite"  # stands in a command for one of several runs


def write_report(runs: Sequence[Path], out: Path) -> None:
    """Write one HTML page that shows some runs together.

    Args:
        runs: run files; if two contain the same verdict, that of the later one counts.
        out: path of the page; missing folders are created.

    Raises:
        RunFileError: a file is missing, or is not a run file.
        OutputError: the page cannot be written.
    """
    with ExitStack() as stack:
        page = render([stack.enter_context(RunFile.open(path)) for path in runs])
    write_output(out, Kind.PAGE, page)


def render(runs: Sequence[RunFile]) -> str:
    """Return the HTML page that shows some runs together."""
    found = survey(runs)
    timed, domain = timing_tables(runs), domain_of(runs)
    colours = key(_frameworks(timed, domain))
    # The scripts are one function, so that their names do not become properties of the window.
    script = "\n".join(["(() => {", '"use strict";', *map(_packaged, _SCRIPTS), "})();"])
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            policy=_policy(script),
            style=Markup("".join(map(_packaged, _STYLES))),  # noqa: S704 -- our own files
            script=Markup(script),  # noqa: S704 -- our own files
            data=Markup(to_json(payload(found))),  # noqa: S704 -- to_json escapes what ends a script
            charts=Markup(to_json(domain_charts(domain) | {"colours": colours})),  # noqa: S704
            timings=timed,
            timed_with=threads_of(runs),
            left_out=left_out(runs),
            trends=trends_of(runs) if len(runs) > 1 else None,
            domain=domain,
            colours=colours,
            **_sections(found),
        )
    )


def _sections(found: Survey) -> dict[str, Any]:
    # The keys are the names of variables in the templates.
    lines = tables.framework_lines(found)
    new = together(alarms(groups(found.findings)))
    causes = cards(found)
    explained, tables_of_all = tables.explained_lines(found), compared(found.runs)
    related = latest(found)
    return {
        "survey": found,
        "run": path_of(shown(found.runs[0].path)) if len(found.runs) == 1 else _ANY_RUN,
        "lines": lines,
        "total": tables.shares_of(found, found.places),
        "textbook": tables.shares_of(
            found, [place for place in found.places if place.asked.kind == TEXTBOOK]
        ),
        "opening": opening(found) if found.places else None,
        "headlines": headline_causes(causes),
        "worry": worry(found.findings, causes),
        "changes": changes_of(found.runs),
        "alarms": new,
        "first": _FIRST_NEW,
        "parts": finding_parts(causes),
        "own_causes": own_causes(found.runs),
        "explained": explained,
        "edges": edge_table(found.runs),
        "conventions": convention_lines(found),
        "meanings": meanings(found),
        "compared": tables_of_all,
        "functions": functions(found, causes, explained, tables_of_all.accuracy),
        "plot": accuracy.PLOT,
        "worked": tables.worked_lines(found.runs),
        "equivalences": equivalence_rows(related),
        "relations": relation_tables(found, related),
        "invariances": INVARIANCES,
        "invariant": invariance_lines(found, related),
        "repeated": repeat_tables(found, related),
        "formulas": formulas(found),
        "workers": tables.workers(found.runs),
        "trust": trust_of(found.runs),
    }


def _frameworks(timed: Sequence[TimingTable], domain: Domain) -> list[str]:
    """Return the frameworks of all charts; their order decides their colours on the page."""
    return sorted(
        {line.row.framework for table in timed for line in table.lines} | set(domain.frameworks)
    )


def _policy(script: str) -> str:
    """Return a Content-Security-Policy under which only this script runs.

    Texts in a run file may come from others. If one of them got into the page unescaped, the
    browser would still run no script and fetch nothing.
    """
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _packaged(name: str) -> str:
    return resources.files(_TEMPLATES).joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    # Everything is escaped unless it is marked as safe, and a misspelt variable is an error instead
    # of an empty place in the page.
    environment = Environment(
        loader=PackageLoader("lossdiff.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "three": numbers.three,
        "ratio": numbers.ratio,
        "digits": numbers.digits,
        "seconds": numbers.seconds,
        "size": numbers.size,
        "count": numbers.count,
        "brief": tables.brief,
        "breakable": _breakable,
        "issue": _issue,
    }
    # Templates call these functions by name; what is no argument of `render` is listed here.
    environment.globals |= {
        "counted": numbers.counted,
        "percent": numbers.percent,
        "mark_of": mark_of,
        "breaks": breaks,
        "whose": whose,
        "short": {"float16": "16", "bfloat16": "bf", "float32": "32", "float64": "64"},
        "marks": list(MARKS.values()),
        "classes": CLASSES,
        "grows": meaning,
        "time_axis": time_axis,
    }
    return environment


def _printable(value: Any) -> Any:
    """Return what a template shows: HTML has no place for control characters."""
    # Our own HTML is left as it is, and what is not a text has none.
    return printable(value) if type(value) is str else value


def _issue(link: str) -> str:
    """Return what a link leads to, where its address says so: an issue by its number."""
    found = _ISSUE.fullmatch(link)
    return f"{found[1]} #{found[2]}" if found else link.partition("://")[2] or link


def whose(framework: str, names: Iterable[str] = ()) -> str:
    """Return what the filter of libraries compares: the libraries of some functions of a framework.

    >>> whose("numpy", ["scipy.special.softmax", "numpy.exp"])
    'NumPy|SciPy'
    """
    return "|".join(sorted({label_of(name, framework) for name in names}))


def _breakable(name: str) -> Markup:
    """Return a name with possible line breaks after its dots, slashes, underscores and words."""
    parts = _BREAKS.split(printable(name))
    return Markup("<wbr>").join(parts)
