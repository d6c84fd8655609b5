"""Tell the causes of findings in lines: in full for `show`, in short at the end of `check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .cards import Card
from .commands import wrapped
from .examples import Example
from .finding_parts import finding_parts
from .legend import VerdictClass
from .listing import Line, lines_of_width
from .numbers import counted
from .tables import brief

_NAMED = 4  # functions of a cause; the further ones are counted
_SHOWN = 8  # causes at the end of `check`, the new ones among them
_ONE = 72  # characters of an answer


def card_lines(cards: Sequence[Card], width: int) -> Iterator[Line]:
    """Yield the lines on causes, the worst first: each with its input, its answers, its command.

    Args:
        cards: the cards of a run.
        width: columns of the terminal.
    """
    for part in finding_parts(cards):
        yield from lines_of_width(f"{part.title} ({counted(part.number, 'cause')})", width)
        for card in part.cards:
            yield from _card(card, width)
        yield Line("")


def _card(card: Card, width: int) -> Iterator[Line]:
    head = f"  {card.title} ({counted(card.count, 'finding')})"
    yield from lines_of_width(head, width, "finding")
    facts = [_functions(card), card.reason, _source(card)]
    facts += _answers(card.example) if card.example else _plainest(card)
    facts += [f"{', '.join(card.elsewhere)}: on other inputs"] if card.elsewhere else []
    for fact in filter(None, facts):
        yield from lines_of_width(f"    {fact}", width)
    yield from map(Line, wrapped(card.command_parts, width))


def _functions(card: Card) -> str:
    names = [touched.name for touched, _ in card.functions]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _source(card: Card) -> str:
    where = card.link or card.source
    if card.look == "new":
        return ""
    if not card.is_reported:
        where = f"not reported yet; a script: {card.script}" if card.script else "not reported yet"
    return f"{where} ({card.versions})" if card.versions else where


def _answers(example: Example) -> list[str]:
    inputs = ", ".join(f"{name} = {numbers}" for name, numbers in example.inputs)
    options = f" ({example.options})" if example.options else ""
    given: dict[str, list[str]] = {}
    for it in example.given:
        text = brief(it.text, _ONE) + (" (wrong)" if it.is_wrong else "")
        given.setdefault(text, []).append(it.library)
    answers = [f"{', '.join(dict.fromkeys(who))} {text}" for text, who in given.items()]
    return [
        f"on {inputs}, {example.dtype}{options}",
        f"{example.what}: right {brief(example.right, _ONE)}; {'; '.join(answers)}",
    ]


def _plainest(card: Card) -> list[str]:
    row = card.plainest
    place = f"{row.quantity} {row.where}".strip()
    said = f"right {brief(row.exact)}, given {brief(row.got)}" if row.exact or row.got else row.note
    return [row.case, f"{place}: {brief(said)}"]


def short_lines(cards: Sequence[Card], width: int) -> Iterator[Line]:
    """Yield a line or two for each of the worst causes, at most about a dozen, new ones first.

    Args:
        cards: the cards of a run.
        width: columns of the terminal.
    """
    main = [card for card in cards if card.section not in ("textbook", "invalid")]
    for card in main[:_SHOWN]:
        group: VerdictClass | None = "finding" if card.look == "new" else None
        sign = "new: " if card.look == "new" else "known: "
        yield from lines_of_width(f"{sign}{card.sentence}", width, group)
        if card.look == "new":
            names = "" if card.is_of_one else f"{_functions(card)}: "
            yield from lines_of_width(f"    {names}{_plainest(card)[1]}", width)
    left = len(main) - _SHOWN
    rest = [f"{left} more"] if left > 0 else []
    invalid = sum(card.section == "invalid" for card in cards)
    textbook = sum(card.section == "textbook" for card in cards)
    rest += [f"{invalid} in invalid input that raises no error"] if invalid else []
    rest += [f"{textbook} in textbook formulas"] if textbook else []
    if rest:
        said = f"{'and ' if main else 'known causes: '}{', '.join(rest)}"
        yield from lines_of_width(said, width)
