"""Test that exact answers are computed once, and kept as long as they are needed again."""

from __future__ import annotations

from lossdiff.cases.model import Case
from lossdiff.harness.engine.judgement import SolvedCases

SMALL = Case.parse("softmax/float32/4x10/normal/-/0")
OTHER = Case.parse("softmax/float32/4x10/ties/-/0")
LARGE = Case.parse("softmax/float32/20000x2/normal/-/0")
LARGER = Case.parse("softmax/float32/20001x2/normal/-/0")


def test_a_solved_case_is_kept_for_the_next_that_asks() -> None:
    solved = SolvedCases()

    first = solved.of(SMALL)
    solved.of(OTHER)

    assert solved.of(Case.parse(SMALL.id)) is first


def test_a_large_case_drives_out_no_small_one_and_only_one_of_them_is_kept() -> None:
    solved = SolvedCases()

    first, large = solved.of(SMALL), solved.of(LARGE)

    assert solved.of(LARGE) is large
    assert solved.of(LARGER).case == LARGER
    assert solved.of(LARGE) is not large
    assert solved.of(SMALL) is first


def test_of_many_cases_those_used_longest_ago_are_dropped() -> None:
    solved = SolvedCases()
    cases = [Case.parse(f"softmax/float32/100x100/normal/-/{seed}") for seed in range(8)]

    first = solved.of(cases[0])
    last = [solved.of(case) for case in cases][-1]

    assert solved.of(cases[-1]) is last
    assert solved.of(cases[0]) is not first


def test_more_cases_are_kept_where_there_is_room_for_more() -> None:
    cases = [Case.parse(f"softmax/float32/100x100/normal/-/{seed}") for seed in range(8)]
    solved = SolvedCases(2**17)

    first = solved.of(cases[0])
    for case in cases:
        solved.of(case)

    assert solved.of(cases[0]) is first
