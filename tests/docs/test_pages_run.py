"""Every page: its commands and its snippets run in the order of the page, and print what it shows.

A page is one test, because its commands build on each other; they run in an empty folder. What is
done otherwise than printed stands in `exceptions.py`, with the reasons. What is no command of
`lossdiff` is looked at in `test_other_commands.py`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from lossdiff.backends import FRAMEWORKS
from lossdiff.cases.ledger import ledger, read_ledger
from lossdiff.cases.model import Case
from sybil.evaluators.doctest import NUMBER, OutputChecker

from lossdiff._cli import main as cli
from lossdiff._cli.status import Status

from . import exceptions
from .pages import PAGES, ROOT, Snippet, inline_commands, snippets

_ENTRY = re.compile(r"\n(?! )")
_UNNAMED = "snippet.py"
_ALIKE: dict[tuple[str, str], str] = {}  # what snippets have printed on the pages so far
_BETWEEN = re.compile(r"\s{2,}")  # what separates the cells of a table


def _needs(page: str) -> list[Any]:
    """Return the marks of what the snippets and commands of a page need."""
    text = "\n".join(s.text for s in snippets(page) if s.language in ("python", "sh"))
    names = [name for name, framework in FRAMEWORKS.items() if name != "numpy" and (
        f"--backend {name}" in text
        or any(re.search(rf"^import .*\b{module}\b", text, re.MULTILINE)
               for module in framework.imports))]  # fmt: skip
    marks = [pytest.mark.framework(name) for name in names]
    if "--mode interpret" in text:
        marks += [pytest.mark.triton, pytest.mark.liger]
    return [*marks, *([pytest.mark.onnx] if "--suite onnx" in text else [])]


class Reader:
    """Does what a page says, in an empty folder.

    Attributes:
        printed: what the last command or snippet printed; None where nothing has run yet.
    """

    def __init__(
        self, capsys: pytest.CaptureFixture[str], alike: dict[tuple[str, str], str]
    ) -> None:
        """Begin a page.

        Args:
            capsys: captures what commands print.
            alike: what snippets have printed on other pages, by their file and text. It is kept
                for those without a file, as the front pages have some in common.
        """
        self._capsys, self._alike = capsys, alike
        self.printed: str | None = None

    def read(self, snippet: Snippet) -> None:
        """Run a block, or compare it with what came out of the one before."""
        if snippet.one_of(exceptions.NOT_RUN) or snippet.language in ("toml", "yaml"):
            return  # a ledger entry is read below, and workflows in `test_ci.py`
        if snippet.language == "sh":
            for command in snippet.commands:
                if command.startswith("lossdiff ") and command not in exceptions.ONLY_READ:
                    self._prepare(command)
                    self._command(command, snippet.place)
        elif snippet.language == "python":
            self._python(snippet)
        else:
            assert snippet.language == "", f"{snippet.place}: nothing runs {snippet.language}"
            assert self.printed is not None, f"{snippet.place}: an output of nothing"
            assert_shown(snippet.text, self.printed, snippet.place)

    def _prepare(self, command: str) -> None:
        for before in exceptions.BEFORE.get(command, ()):
            if before.startswith("lossdiff "):
                self._command(before, before)
            else:
                subprocess.run(shlex.split(before), check=True)

    def _command(self, command: str, place: str) -> None:
        words, pipe, then = command.partition(" | ")
        due, _ = exceptions.STATUS.get(command, (Status.OK, ""))
        self._capsys.readouterr()
        status = cli.run(exceptions.smaller(shlex.split(words)[1:]))
        self.printed, err = self._capsys.readouterr()
        assert "Traceback" not in self.printed + err, f"{place}: {command}\n{err}"
        assert status == due, f"{place}: {command} ends with {status}\n{err}"
        if pipe:
            self.printed = subprocess.run(shlex.split(then), input=self.printed, text=True,
                                          capture_output=True, check=True).stdout  # fmt: skip

    def _python(self, snippet: Snippet) -> None:
        """Run a snippet in a process of its own, as a file if the page names one."""
        if part := snippet.one_of(exceptions.PART_OF):
            file = exceptions.PART_OF[part]
            assert snippet.text in Path(file).read_text(encoding="utf-8"), snippet.place
        else:
            file = snippet.file or _UNNAMED
            Path(file).write_text(snippet.text, encoding="utf-8")
        self.printed = self._alike.get((file, snippet.text)) or _printed(file, snippet.place)
        if file == _UNNAMED:  # of a named one, a later command may want what else it leaves
            self._alike[file, snippet.text] = self.printed


def _printed(file: str, place: str) -> str:
    done = subprocess.run([sys.executable, "-I", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{place}: {done.stderr}"
    return done.stdout


def assert_shown(shown: str, printed: str, place: str) -> None:
    """Compare an output with what came out: the text, some entries, or the cells of a table.

    The numbers of a table may have been shortened; those of a text are all that it shows. Of a list
    whose entries have further lines, which are indented, a page shows some.
    """
    if re.search(r"^ ", shown, re.MULTILINE):
        entries = _ENTRY.split(printed.strip())
        assert [it for it in _ENTRY.split(shown.strip()) if it not in entries] == [], place
        return
    if not _BETWEEN.search(shown.splitlines()[0]):
        assert shown.strip() == printed.strip(), place
        return
    header, *rows = [_BETWEEN.split(line.strip()) for line in shown.splitlines()]
    names, *table = [_BETWEEN.split(line.strip()) for line in printed.splitlines()]
    places = [names.index(name) for name in header]  # each column of the page is printed
    assert places == sorted(places), place
    cells = [[row[at] for at in places] for row in table if len(row) == len(names)]
    for row in rows:
        assert any(_is_short_for(row, other) for other in cells), f"{place}: {row}\n{printed}"


def _is_short_for(row: list[str], other: list[str]) -> bool:
    same = OutputChecker().check_output
    return all(
        same(f"{cell}\n", f"{full}\n", NUMBER) for cell, full in zip(row, other, strict=True)
    )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=_needs(page))
        for page in PAGES
        if snippets(page) and page not in exceptions.EXECUTED_ELSEWHERE
    ],
)
def test_the_commands_and_snippets_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader(capsys, _ALIKE)
    with exceptions.small_world(page, (ROOT / page).read_text(encoding="utf-8")):
        for snippet in snippets(page):
            reader.read(snippet)


def test_an_output_that_differs_is_found() -> None:
    table = "Name  Kind  Size\na     b     1.25\n"
    assert_shown("Name  Size\na     1.2\n", table, "")
    assert_shown("b\n  1\n", "a\n  1\nb\n  1\nc\n", "")
    for shown in ("Name  Size\na     1.4\n", "Size  Name\n1.25  a\n", "0.5\n"):
        with pytest.raises(AssertionError):
            assert_shown(shown, table, "")


def test_the_ledger_entry_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = [
        s for page in PAGES for s in snippets(page)
        if s.language == "toml" and s.text.startswith("[[entry]]")
    ]  # fmt: skip
    (tmp_path / "ledger.toml").write_text(shown.text)

    (entry,) = read_ledger(tmp_path / "ledger.toml")

    assert entry.source in {known.source for known in ledger()}


def test_the_id_that_is_taken_apart_is_an_id() -> None:
    (shown,) = snippets("docs/words.md")
    first = shown.text.splitlines()[0]

    assert Case.parse(first).id == first


# --- the exceptions name what there is ---------------------------------------------------------


def test_every_exception_is_one_of_something_that_a_page_prints() -> None:
    tables = {**exceptions.NOT_RUN, **exceptions.PART_OF}
    blocks = {s.one_of(tables) for page in PAGES for s in snippets(page)}
    commands = {
        command for page in PAGES for s in snippets(page) if s.language == "sh"
        for command in s.commands
    }  # fmt: skip
    named = {*exceptions.BEFORE, *exceptions.STATUS, *exceptions.ONLY_READ}

    assert tables.keys() - blocks == set()
    assert named - commands == set()
    assert {*exceptions.ALSO_ASKED, *exceptions.EXECUTED_ELSEWHERE} <= set(PAGES)


@pytest.mark.parametrize("rule", exceptions.SMALLER, ids=lambda rule: rule.command)
def test_every_rule_makes_a_command_of_a_page_smaller(rule: exceptions.Smaller) -> None:
    commands = [
        shlex.split(command)[1:] for page in PAGES for s in snippets(page) if s.language == "sh"
        for command in s.commands if command.startswith("lossdiff ")
    ]  # fmt: skip

    assert any(exceptions.smaller(command) != command for command in commands
               if command[0] == rule.command)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_the_options_of_commands_that_are_not_run_are_options(page: str) -> None:
    printed = [c for c in inline_commands(page) if c.startswith("lossdiff ")]
    printed += [
        c for s in snippets(page) if s.language == "sh" for c in s.commands
        if c in exceptions.ONLY_READ
    ]  # fmt: skip

    for command in printed:
        _, name, *arguments = shlex.split(command)
        found = cli.cli.get_command(click.Context(cli.cli), name)
        assert found is not None, f"{page}: {command}"
        if arguments:
            found.make_context(name, arguments)
