"""What a person calls a model: names, aliases, numbers, and what is said when they fit nothing or too much."""

from datetime import UTC, datetime

import pytest

from recsys.errors import InputError
from recsys.registry import Version
from recsys.serving.load import pick


def version(model, number, *aliases):
    return Version(model, number, aliases, {}, None, datetime(2026, 1, 1, tzinfo=UTC))


TOY = [version("recsys-toy", 1, "previous"), version("recsys-toy", 2, "champion"), version("recsys-toy", 3)]
UNPROMOTED = [version("recsys-toy", 1), version("recsys-toy", 2, "challenger")]
TWO = [version("recsys-a", 1, "champion"), version("recsys-b", 1, "champion"), version("recsys-b", 2)]


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        (None, 2),
        ("models:/recsys-toy@champion", 2),
        ("models:/recsys-toy/3", 3),
        ("models:/recsys-toy", 2),
        ("recsys-toy", 2),
        ("recsys-toy@previous", 1),
        ("recsys-toy/1", 1),
        ("models:/recsys-toy/latest", 3),
        ("latest", 3),
        ("previous", 1),
        ("1", 1),
    ],
)
def test_uris_people_type(uri, number):
    assert pick(uri, TOY).number == number


@pytest.mark.parametrize(
    ("uri", "known", "message"),
    [
        (None, [], "the registry holds no model yet; make one with: recsys run CONFIG"),
        (
            None,
            UNPROMOTED,
            "no version of any model is 'champion'; there are: recsys-toy 1, recsys-toy 2 (challenger)",
        ),
        (
            "models:/recsys-toi@champion",
            TOY,
            "no model is called 'recsys-toi': did you mean 'recsys-toy'? (allowed: recsys-toy)",
        ),
        (
            "recsys-toy@best",
            TOY,
            "no version of recsys-toy is 'best'; there are: recsys-toy 1 (previous), recsys-toy 2 (champion), "
            "recsys-toy 3",
        ),
        ("models:/recsys-b/9", TWO, "no version of recsys-b is '9'; there are: recsys-b 1 (champion), recsys-b 2"),
        ("7", TOY, "no model is called '7': allowed: recsys-toy"),
        ("models:/@", TOY, "no model is called '@': allowed: recsys-toy"),
        (
            None,
            TWO,
            "champion could be any of 2 models; name one: models:/recsys-a@champion, models:/recsys-b@champion",
        ),
        ("1", TWO, "1 could be any of 2 models; name one: models:/recsys-a/1, models:/recsys-b/1"),
        ("latest", TWO, "latest could be any of 2 models; name one: models:/recsys-a/latest, models:/recsys-b/latest"),
    ],
)
def test_uris_that_name_nothing_or_too_much(uri, known, message):
    with pytest.raises(InputError) as error:
        pick(uri, known)
    assert str(error.value) == message


def test_one_of_two_models_by_name():
    assert pick("recsys-b", TWO) is TWO[1]
    assert pick("2", TWO) is TWO[2]
    assert pick(None, TWO[1:]) is TWO[1]
