"""Decimals take the place of numbers that have lost bits; they are computed once."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from lossdiff.harness.oracle.decimal_fallback import once_a_row


def asked_in_turn(kept: int) -> list[int]:
    """Return the rows that are computed when twelve rows are read twice, one after the other."""
    computed: list[int] = []

    def row(index: int) -> Decimal:
        computed.append(index)
        return Decimal(index)

    remembered = once_a_row(row, kept=kept)
    for _ in range(2):
        with localcontext(Context(prec=100)):
            assert [remembered(index) for index in range(12)] == list(map(Decimal, range(12)))
    return computed


def test_rows_that_are_kept_are_computed_once() -> None:
    assert asked_in_turn(kept=12) == list(range(12))


def test_of_one_kept_row_a_second_round_computes_all_again() -> None:
    assert asked_in_turn(kept=1) == list(range(12)) * 2


def test_another_number_of_digits_is_another_result() -> None:
    third = once_a_row(lambda row: Decimal(row) / 3, kept=4)

    with localcontext(Context(prec=5)):
        few = third(1)
    with localcontext(Context(prec=10)):
        more = third(1)

    assert (str(few), str(more)) == ("0.33333", "0.3333333333")
