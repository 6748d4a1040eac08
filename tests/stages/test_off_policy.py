"""Logged answers as evidence: which of them count, what is rewarded, and how they reach the verdict."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.config import parse
from recsys.feedback.database import URL
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.models.table import create
from recsys.serving.bundle import Manifest, write_bundle
from recsys.serving.judge import Rebased
from recsys.stages.off_policy import LAST_POSITION, histories, logged_since, off_policy

SINCE = 100_000
"""After all events of the toy log."""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.delenv(URL, raising=False)

    def make(data=None, **promotion):
        given = {"path": "events.csv", **(data or {})}
        return parse({"name": "toy", "store": str(tmp_path), "data": given, "promotion": promotion})

    return make


@pytest.fixture
def feedback(config, tmp_path):
    with open_store(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def split(toy_split):
    return toy_split("time")


@pytest.fixture
def of_item(split, tmp_path):
    """Bundles of a popularity that learnt from the events of one item only."""

    def make(item, fitted_on="train+validation"):
        def popularity(log):
            only = log.interactions.where(log.interactions.item == split.data.items.rows([item])[0])
            return create("popularity").fit(log.with_interactions(only))

        evaluated, serving = (popularity(log) for log in (split.for_test, split.data))
        manifest = Manifest(
            name="toy",
            model="popularity",
            fitted_on=fitted_on,
            config_digest="0",
            dataset_digest="0",
            split_method="time",
            test_start=int(split.test_events.time.min()),
            last_event=int(split.data.interactions.time.max()),
        )
        models = {"serving": serving, "evaluated": evaluated, "fallback": evaluated}
        return write_bundle(tmp_path / f"bundle-{item}", manifest, split, **models)

    return make


def impression(request, item=101, position=1, time=SINCE, propensity=0.5, user="1"):
    name = f"shown-{request}-{item}"
    said = {"request_id": str(request), "position": position, "propensity": propensity}
    return Event(name, user, str(item), "impression", time, **said)


def response(request, item=101, kind="click", time=SINCE + 5, user="1"):
    return Event(f"{kind}-{request}-{item}", user, str(item), kind, time, request_id=str(request))


def test_without_a_feedback_store_nothing_was_logged_and_none_is_made(config, split, tmp_path):
    assert logged_since(0, config(), split) is None
    assert list(tmp_path.iterdir()) == []


def test_which_answers_count(config, split, feedback):
    events = [
        impression("early", time=SINCE - 1),
        impression("unlikely", propensity=None),
        impression("placeless", position=None),
        impression("deep", position=LAST_POSITION + 1),
        response("early"),
    ]
    feedback.append(events, "test")
    assert logged_since(SINCE, config(), split) is None
    feedback.append([impression("good"), impression("good", 113, 2), impression("strange", 999, user="nobody")], "test")
    found = logged_since(SINCE, config(), split)
    assert found.slots.request.tolist() == [0, 0, 1]
    assert split.data.items.raw(found.slots.item[:2]).tolist() == [101, 113]
    assert found.slots.item[2] == -1
    assert found.slots.position.tolist() == [1, 2, 1]
    assert found.user.tolist() == [*split.data.users.rows([1, 1]), -1]


def test_rewards(config, split, feedback):
    shown = [impression(request) for request in ("none", "click", "both", "other item", "refunded")]
    done = [
        response("click"),
        response("both"),
        response("both", kind="purchase"),
        response("other item", 102),
        response("refunded", kind="refund"),
    ]
    feedback.append([*shown, *done], "test")
    assert logged_since(SINCE, config(), split).slots.reward.tolist() == [0, 1, 1, 0, 1]
    weighted = config({"event_weights": {"purchase": 5, "refund": 0}})
    assert logged_since(SINCE, weighted, split).slots.reward.tolist() == [0, 1, 5, 0, 0]


def test_histories_are_those_the_test_starts_with(split):
    found = histories(np.array([-1, 3]), split)
    assert found.lengths[0] == 0
    known = split.for_test.interactions.select([3])
    assert found.item.tolist() == known.item.tolist()
    assert (found.features is None) == (known.features is None)
    if found.features is not None:
        assert found.features[0].nnz == 0
        assert (found.features[1] != known.features).nnz == 0


class TestCompared:
    """Item 101 was shown to half of the users of camp 0, item 113 to the other half; 101 was clicked more often."""

    @pytest.fixture
    def answers(self, split, feedback):
        users = [str(user) for user in split.data.users.values if user % 2 == 0]
        history = {user: set(self.seen(split, user)) for user in users}
        generator = np.random.default_rng(0)
        for request in range(1200):
            user = users[request % len(users)]
            item = (101, 113)[generator.integers(2)]
            events = [impression(request, item, user=user)]
            if generator.random() < {101: 0.6, 113: 0.1}[item] and item not in history[user]:
                events.append(response(request, item, user=user))
            feedback.append(events, "test")

    def seen(self, split, user):
        row = split.data.users.rows([user])[0]
        return split.data.items.raw(split.for_test.interactions.select([row]).item).tolist()

    @pytest.fixture
    def sides(self, split, of_item):
        """The challenger recommends item 113 before all others, the champion item 101."""
        bundle = of_item(101)
        return of_item(113).evaluated, Rebased(bundle.evaluated, bundle.data, split.data), bundle

    def test_what_was_never_clicked_is_worse(self, config, split, answers, sides):
        found = off_policy(config(bootstrap=200), split, *sides)
        assert found.requests == 1200
        assert found.gain.hi < 0
        assert min(found.effective) > 100

    def test_answers_that_a_side_may_have_learnt_from_do_not_count(self, config, split, feedback, of_item):
        """Shown in the test window, which the champion that serves was fitted on, and the one that was judged not."""
        begins, ends = split.test_events.time.min(), split.data.interactions.time.max()
        feedback.append([impression(time, time=int(time)) for time in range(begins - 5, ends + 3)], "test")
        bundle = of_item(101, fitted_on="all")
        counted = {}
        for name in ("serving", "evaluated"):
            champion = Rebased(getattr(bundle, name), bundle.data, split.data)
            counted[name] = off_policy(config(bootstrap=200), split, bundle.evaluated, champion, bundle).slots
        assert counted == {"serving": 2, "evaluated": ends + 3 - begins}

    def test_below_the_effective_sample_nothing_is_said(self, config, split, answers, sides):
        found = off_policy(config(bootstrap=200, min_effective_sample=5000), split, *sides)
        assert (found.slots, found.gain) == (1200, None)


def test_a_model_against_itself(config, split, feedback, toy_bundle, tmp_path):
    bundle = toy_bundle(tmp_path / "ease", split, "time")
    feedback.append([impression(request, 101 + request % 24, propensity=0.04) for request in range(300)], "test")
    champion = Rebased(bundle.evaluated, bundle.data, split.data)
    found = off_policy(config(bootstrap=200, min_effective_sample=1), split, bundle.evaluated, champion, bundle)
    assert found.slots == 300
    assert found.effective[0] == pytest.approx(found.effective[1])
    assert (found.gain.mean, found.gain.lo, found.gain.hi) == (0, 0, 0)


def test_the_champion_is_asked_with_the_attributes_it_serves_by(config, split, feedback, toy_bundle, tmp_path):
    bundle = toy_bundle(tmp_path / "ease", split, "time")
    feedback.append([impression(request, 101, user="7") for request in range(3)], "test")

    class Spy:
        def score(self, history):
            self.features = history.features.toarray().tolist()
            return np.zeros((history.n_users, history.n_items), np.float32)

    log = bundle.data.interactions
    other = replace(bundle, data=bundle.data.with_interactions(replace(log, features=log.features[:, ::-1])))
    challenger, champion = Spy(), Spy()
    off_policy(config(bootstrap=200), split, challenger, Rebased(champion, other.data, split.data), other)
    assert (challenger.features, champion.features) == ([[0, 1]], [[1, 0]])
