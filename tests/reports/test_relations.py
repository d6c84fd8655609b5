from __future__ import annotations

from lossdiff.harness.relations.metamorphic import RELATIONS
from lossdiff.harness.runfile.file import RunFile
from lossdiff.harness.verdicts import (
    AGAIN,
    OTHER_CALL_MEANINGS,
    RELATION_MEANINGS,
    REPETITION_MEANINGS,
    SECOND_BACKWARD,
    THREADS,
    WITH_GRADIENT,
)
from lossdiff.reports.relations import (
    equivalence_rows,
    latest,
    relation_tables,
    repeat_tables,
)
from lossdiff.reports.survey import survey

from . import sample


def test_every_relation_and_repetition_has_its_meaning() -> None:
    assert {relation.name for relation in RELATIONS} == RELATION_MEANINGS.keys()
    assert {AGAIN, THREADS} == REPETITION_MEANINGS.keys()
    assert {WITH_GRADIENT, SECOND_BACKWARD} == OTHER_CALL_MEANINGS.keys()


def test_each_row_stands_in_one_of_three_tables(run: RunFile) -> None:
    found = survey([run])
    textbook = {asked.name for asked in found.asked if asked.kind == "textbook"}
    rows = [row for row in latest(found) if row.left not in textbook]
    tables = (*relation_tables(found, rows), *repeat_tables(found, rows))
    compared = sum(line.comparisons for table in tables for line in table.lines)
    equal = equivalence_rows(rows)
    assert len(equal) == 12
    assert compared + sum(row.cases for row in equal) == sum(row.cases for row in rows)


def test_an_implementation_counts_where_it_does_worst(run: RunFile) -> None:
    found = survey([run])
    (table,) = relation_tables(found, latest(found))
    by_framework = {line.framework: line for line in table.lines}
    assert (table.name, table.meaning) == ("shift", RELATION_MEANINGS["shift"])
    jax, torch = by_framework["jax"], by_framework["torch"]
    assert (jax.implementations, jax.holds, jax.explained) == (3, 1, (("formula", 1),))
    assert [breach.name for breach in jax.breaches] == [sample.HOSTILE]
    assert [breach.ratio for breach in jax.breaches] == [12.5]
    assert (torch.holds, len(torch.breaches)) == (2, 0)


def test_textbook_formulas_that_fail_are_counted_apart(run: RunFile) -> None:
    found = survey([run])
    rows = latest(found)
    (table,) = relation_tables(found, rows)
    assert table.textbook == (4, 4)
    of_books = [row for row in rows if row.left == "jax.textbook.softmax_unshifted"]
    (alone,) = relation_tables(found, of_books)
    (line,) = alone.lines
    assert alone.textbook == (0, 0)
    assert line.breaches[0].kind == "textbook"
    assert line.breaches[0].ways == ("eager, float32", "jit, float32")


def test_a_breach_is_known_only_if_the_ledger_names_all_of_it(run: RunFile) -> None:
    found = survey([run])
    (table,) = relation_tables(found, latest(found))
    new = {finding.row.implementation for finding in found.findings
           if finding.row.verdict == "relation:shift"}  # fmt: skip
    for line in table.lines:
        for breach in line.breaches:
            assert breach.known == (breach.name not in new)


def test_other_bits_are_named_with_quantity_and_size(run: RunFile) -> None:
    found = survey([run])
    again, threads = repeat_tables(found, latest(found))
    assert not any(line.breaches for line in again.lines)
    (breach,) = [breach for line in threads.lines for breach in line.breaches]
    assert breach.difference == 2.4e-7
    assert sum(times for _, times in breach.quantities) == len(found.unsteady) == 1
