"""Where a function is, as text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from lossdiff.harness.own.places import evaluated, place_of

from lossdiff.errors import DeclarationError, UserFileError


@pytest.mark.parametrize(
    ("text", "source", "expression"),
    [
        ("mine.py", "mine.py", ""),
        ("here/my-loss.py", "here/my-loss.py", ""),
        ("a=b:c.d/mine.py:loss", "a=b:c.d/mine.py", "loss"),
        ("package.losses", "package.losses", ""),
        ("package.losses:xent", "package.losses", "xent"),
        ("mine.py:Loss(0.1, eps = 1e-3).apply", "mine.py", "Loss(0.1, eps=0.001).apply"),
    ],
)
def test_a_place_is_a_file_or_a_module_and_perhaps_an_object(
    text: str, source: str, expression: str
) -> None:
    place = place_of(text)

    assert (place.source, place.expression, place.declaration) == (source, expression, None)


def test_after_the_object_comes_what_it_is() -> None:
    place = place_of("timm.loss:Smooth(smoothing=0.1)=cross_entropy(reduction='mean')")

    assert place.expression == "Smooth(smoothing=0.1)"
    assert place.declaration is not None
    assert place.declaration.operation == "cross_entropy"
    assert place.declaration.limits.fixed == (("reduction", "mean"),)


def test_what_it_is_may_be_any_name_of_the_table() -> None:
    place = place_of("mine.py:f=sparse_categorical_crossentropy")

    assert place.declaration is not None
    assert place.declaration.operation == "cross_entropy_probs"
    assert place.declaration.targets == {"index"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("losses.ipynb", "is a notebook"),
        ("{folder}", "is a folder"),
        (".", ". is a folder"),
        ("my-loss", "'my-loss' is no place of a function; allowed: mine.py, package.losses, or"),
        ("mine.py:", "names no object after the colon"),
        ("mine.py:=softmax", "names no object after the colon"),
        ("mine.py:f(", "'f(' is no expression of an object"),
        ("mine.py:f + g=softmax", "is neither a name, an attribute nor a call of one"),
        ("mine.py:f(x)=softmax", "the arguments of f(x) are not plain values"),
        ("mine.py:[f][0]=softmax", "is neither a name, an attribute nor a call of one"),
    ],
)
def test_what_is_no_place_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserFileError) as error:
        place_of(text.format(folder=tmp_path))

    assert expected in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("cros_entropy", "'cros_entropy' is no operation; did you mean cross_entropy?"),
        ("focal", "'focal' is no operation"),
        ("a.b", "'a.b' is no operation"),
        ("cross_entropy(0.1)", "is no operation, such as cross_entropy(reduction='none')"),
        ("cross_entropy(smoothing=0.1)", "'smoothing' is no option of cross_entropy"),
        ("cross_entropy(targets={'indx'})", "'indx' is no target of cross_entropy; did you mean"),
    ],
)
def test_what_is_no_operation_is_refused_in_one_line(said: str, expected: str) -> None:
    with pytest.raises(DeclarationError) as error:
        place_of(f"mine.py:f={said}")

    assert expected in str(error.value)


def test_an_object_is_what_attributes_and_calls_with_plain_values_give() -> None:
    module = SimpleNamespace(inner=SimpleNamespace(scaled=lambda a, b=1: SimpleNamespace(it=a * b)))

    assert evaluated("inner.scaled(3, b=2).it", module) == 6


def test_a_place_means_the_same_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert place_of("mine.py:f=softmax").absolute() == f"{tmp_path}/mine.py:f=softmax"
    assert place_of("package:f").absolute() == "package:f"
