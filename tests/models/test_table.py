"""The table of candidates: complete, its search spaces in order, its errors helpful."""

import pytest

from recsys.config import CANDIDATES
from recsys.errors import InputError
from recsys.models.table import TABLE, create


def test_the_configuration_and_the_table_name_the_same_candidates():
    assert tuple(TABLE) == CANDIDATES


@pytest.mark.parametrize("name", TABLE)
def test_what_is_searched_is_a_parameter_and_starts_at_its_default(name):
    model = TABLE[name]
    default = model.Config()
    for key, values in model.SPACE.items():
        assert values.allows(getattr(default, key)), key
    assert set(model.SCORING) <= set(model.Config.model_fields)
    assert not set(model.SPACE) & set(model.SCORING)


@pytest.mark.parametrize("name", TABLE)
def test_every_point_of_the_search_is_a_legal_parameter(name):
    model = TABLE[name]
    for key, values in model.SPACE.items():
        for value in getattr(values, "values", None) or (values.low, values.high):
            assert getattr(create(name, {key: value}).config, key) == value
    for key, values in model.SCORING.items():
        for value in values:
            assert getattr(create(name, {key: value}).config, key) == value


def test_parameters_given_and_defaults_for_the_rest():
    model = create("als", {"factors": 7}, seed=3)
    assert (model.config.factors, model.config.epochs, model.seed) == (7, TABLE["als"].Config().epochs, 3)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("alss", {}, "unknown model 'alss': did you mean 'als'? (allowed: popularity, als, fm, ease, multvae, sasrec"),
        ("als", {"factor": 8}, "models.params.als.factor: did you mean 'factors'? (allowed: factors, epochs, "),
        ("als", {"factors": 0}, "models.params.als.factors: Input should be greater than or equal to 1 (seen: 0)"),
        ("fm", {"dropout": "much"}, "models.params.fm.dropout: Input should be a valid number"),
        ("sasrec", {"width": 9}, "models.params.sasrec: width 9 is not a multiple of heads 2"),
    ],
)
def test_errors_say_what_was_seen_and_what_is_allowed(name, params, message):
    with pytest.raises(InputError) as error:
        create(name, params)
    assert str(error.value).startswith(message)
