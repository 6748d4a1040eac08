"""What every model and every hybrid keeps; whatever stands in a table is tested here.

The log is a checkerboard: an even user likes even items and an odd user odd ones, in an order of the user's own, and
one item of the right parity is withheld. So the right answer is known by construction, for any model.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys.data.dataset import Dataset, Holdout
from recsys.data.idmap import IdMap
from recsys.data.interactions import Interactions
from recsys.hybrid.fallback import WithFallback
from recsys.hybrid.persistence import COMBINATIONS, load, save
from recsys.hybrid.pool import build_pool
from recsys.metrics.segments import head_items
from recsys.models.base import Recommender
from recsys.models.table import TABLE, create
from tests.models.device import device

USERS = 40
SINGLE, NOBODY = USERS, USERS + 1  # a user with one event, and one with none
LIKED = 20  # items with events
EVEN_NEWCOMER, ODD_NEWCOMER = LIKED, LIKED + 1  # items that nobody has met, with the attribute of their parity
ITEMS = LIKED + 2

SMALL = {
    "als": {"factors": 8, "epochs": 5},
    "fm": {"width": 16, "epochs": 30, "lr": 0.01, "batch_tokens": 64, "max_len": 6},
    "ease": {"reg": 10.0},
    "multvae": {"width": 32, "epochs": 40, "lr": 0.01, "batch_users": 16},
    "sasrec": {
        "width": 16,
        "blocks": 1,
        "epochs": 60,
        "lr": 0.005,
        "weight_decay": 0.1,
        "batch_tokens": 64,
        "max_len": 6,
    },
}
"""Parameters that train in a second; a model that is not here is tested with its defaults."""
SAME_FOR_ALL = {"popularity"}
READS_ATTRIBUTES = {"fm"}
MEMBERS = ("popularity", "als", "ease")

NAMES = [*TABLE, *COMBINATIONS]
PERSONAL = [name for name in NAMES if name not in SAME_FOR_ALL]


def checkerboard() -> tuple[Dataset, Holdout]:
    """The log, and what was withheld from it."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(np.arange(user % 2, LIKED, 2)) for user in range(USERS)]
    log = Interactions.of_histories([order[1:].tolist() for order in orders] + [[4], []], ITEMS)
    log = replace(log, features=one_hot(np.arange(log.n_users) // 2 % 2))  # an attribute that tells nothing
    data = Dataset(log, IdMap.of(range(log.n_users)), IdMap.of(range(ITEMS)), one_hot(np.arange(ITEMS) % 2))
    withheld = Interactions.of_histories([[int(order[0])] for order in orders], ITEMS)
    return data, Holdout(log.select(range(USERS)), withheld)


def one_hot(values: np.ndarray) -> sparse.csr_matrix:
    """[n, 2] from n values of 0 and 1."""
    return sparse.csr_matrix(np.eye(2, dtype=np.float32)[values])


DATA, HOLDOUT = checkerboard()
KNOWN, WITHHELD = HOLDOUT.history, HOLDOUT.truth.item
TAIL = ~head_items(KNOWN)
PARITY = np.arange(ITEMS) % 2


def fit(name: str, seed: int = 0) -> Recommender:
    """A model fitted on the checkerboard; a hybrid also on what was withheld from it."""
    if name in TABLE:
        return create(name, SMALL.get(name), seed=seed).fit(DATA)
    if name == WithFallback.name:
        return WithFallback.of(fit("als"), fit("popularity"))
    members = {member: fit(member, seed) for member in MEMBERS}
    return COMBINATIONS[name](members).fit_pool(build_pool(members, HOLDOUT, TAIL, size=ITEMS))


fitted = cache(fit)
"""One model for all tests that only ask it."""


def histories(*items: list[int]) -> Interactions:
    """Histories of users nobody has met, without attributes."""
    return Interactions.of_histories(list(items), ITEMS)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_float32_for_every_user_and_item(name):
    scores = fitted(name).score(DATA.interactions)
    assert scores.shape == (USERS + 2, ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "history",
    [[], [4], [EVEN_NEWCOMER], list(range(ITEMS)), [1, 3] * 30],
    ids=["empty", "one event", "an item without events", "the whole catalogue", "longer than max_len"],
)
def test_any_history_is_answered(name, history):
    scores = fitted(name).score(histories(history))
    assert scores.shape == (1, ITEMS)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_user_at_all_is_no_error(name):
    assert fitted(name).score(histories()).shape == (0, ITEMS)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_depend_on_the_batch(name):
    log, model = DATA.interactions, fitted(name)
    together = model.score(log)
    for users in ([3], [NOBODY], [SINGLE, NOBODY, 3, 3], np.random.default_rng(1).permutation(log.n_users)):
        np.testing.assert_allclose(model.score(log.select(users)), together[users], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_caller_may_overwrite_scores(name):
    model = fitted(name)
    first = model.score(KNOWN)
    kept = first.copy()
    first[:] = np.nan
    np.testing.assert_array_equal(model.score(KNOWN), kept)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_one_outcome_and_no_trace_in_global_generators(name):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = fit(name, seed=0)
    np.testing.assert_array_equal(again.score(KNOWN), fitted(name).score(KNOWN))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("name", NAMES)
def test_comes_back_from_disk_as_it_was_and_without_pickle(name, tmp_path):
    model = fitted(name)
    save(model, tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"model.json", "state.npz"}
    for path in files:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                assert all(arrays[key].dtype != object for key in arrays)
    back = load(tmp_path / "model")
    assert type(back) is type(model)
    np.testing.assert_array_equal(back.score(DATA.interactions), model.score(DATA.interactions))


@pytest.mark.parametrize("name", PERSONAL)
def test_checkerboard(name):
    """The withheld item comes before every item of the wrong parity."""
    scores = fitted(name).score(KNOWN)
    right = scores[np.arange(USERS), WITHHELD]
    wrong = np.where(PARITY[WITHHELD][:, None] != PARITY, scores, -np.inf).max(1)
    assert (right > wrong).all()


@pytest.mark.parametrize("name", TABLE)
def test_another_device_fits_and_scores_alike(name):
    """Nearly so: CUDA draws dropout from a generator of its own."""
    params = {**SMALL.get(name, {}), **({"epochs": 3} if "epochs" in TABLE[name].Config.model_fields else {})}
    expected = create(name, params).fit(DATA)
    with device() as there:
        scores = create(name, params, device=there).fit(DATA).score(KNOWN)
        loaded = create(name, params, device=there).load(expected.state()).score(KNOWN)
    np.testing.assert_allclose(loaded, expected.score(KNOWN), rtol=1e-3, atol=1e-3)
    assert np.corrcoef(scores.ravel(), expected.score(KNOWN).ravel())[0, 1] > 0.95


def test_the_imitated_device_keeps_tensors_apart():
    with device() as there:
        moved, left = torch.ones(2, device=there), torch.ones(2)
        np.testing.assert_array_equal((moved + moved).cpu().numpy(), [2, 2])
        with pytest.raises((AssertionError, RuntimeError), match=r"two devices|same device"):
            moved + left
        with pytest.raises((TypeError, RuntimeError)):
            moved.numpy()


@pytest.mark.parametrize("name", PERSONAL)
@pytest.mark.parametrize(("history", "unseen"), [([0, 8, 4, 2], [6, 10, 12, 14, 16, 18]), ([5, 11, 1], [3, 7, 9, 13])])
def test_a_user_nobody_has_met_is_folded_in(name, history, unseen):
    (scores,) = fitted(name).score(histories(history))
    wrong = [item for item in range(LIKED) if item % 2 != history[0] % 2]
    assert scores[unseen].min() > scores[wrong].max()


@pytest.mark.parametrize("name", PERSONAL)
@pytest.mark.parametrize("item", [4, 7])
def test_one_event_tells_the_taste(name, item):
    (scores,) = fitted(name).score(histories([item]))
    same = [other for other in range(item % 2, LIKED, 2) if other != item]
    wrong = list(range(1 - item % 2, LIKED, 2))
    assert scores[same].mean() > scores[wrong].mean()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in READS_ATTRIBUTES])
def test_an_item_without_events_or_attributes_is_not_put_first(name):
    scores = fitted(name).score(KNOWN)
    assert (scores[:, LIKED:].max(1) < scores[:, :LIKED].max(1)).all()


@pytest.mark.parametrize("name", sorted(READS_ATTRIBUTES))
def test_a_new_item_is_known_by_its_attributes(name):
    """An item nobody has met comes before every item of the other community, for users of its own."""
    scores = fitted(name).score(KNOWN)
    for user, row in enumerate(scores):
        newcomer = (EVEN_NEWCOMER, ODD_NEWCOMER)[user % 2]
        assert row[newcomer] > row[user % 2 != PARITY].max()
