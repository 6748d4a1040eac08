"""The gate with a real registry: the first champion, the next challenger, honest comparison, a champion that moves."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import registry, stale, tracking
from recsys.feedback.event import Event
from recsys.feedback.store import open_store
from recsys.models.als import ALS
from recsys.promotion import LOST
from recsys.registry import ChampionChangedError
from recsys.serving.bundle import Bundle
from recsys.stages import promote as gate

MODEL = "recsys-toy"


@pytest.fixture
def run(store, stages):
    """Runs all stages of a configuration and the gate; `store` is open."""

    def through(config, *, refresh=False):
        done = stages(config)
        made = (done.prepared, done.fitted, done.outcome, done.tested)
        return gate.promote(config, *made, tracking.start("toy", "run").id, refresh=refresh)

    return through


def version(number):
    return next(one for one in registry.versions(MODEL) if one.number == number)


class TestFirst:
    def test_who_beats_popularity_is_champion_and_says_why(self, run, configure):
        promotion = run(configure())
        assert (promotion.promoted, promotion.champion, promotion.version) == (True, 1, 1)
        gained, latency, size = promotion.reasons
        assert gained.startswith("ndcg@10 0.")
        assert " of popularity (no champion yet): +0." in gained
        assert gained.endswith("needs > 0.0000: passed")
        assert (latency[:11], size[:13]) == ("p95 latency", "artifact size")
        champion = version(1)
        assert champion.aliases == ("champion",)
        assert champion.tags["promotion.promoted"] == "true"
        assert champion.tags["promotion.reasons"] == "\n".join(promotion.reasons)

    def test_it_serves_refit_on_all_the_data_beside_the_model_that_was_judged(self, run, configure):
        assert run(configure()).serving == "all events"
        bundle = Bundle.load(registry.download(version(1)))
        assert bundle.manifest.fitted_on == "all"
        assert len(bundle.data.interactions) == 480
        assert bundle.in_evaluated.sum() == 420, "a user's last event is test"
        popular, judged = (model.members["fallback"] for model in (bundle.serving, bundle.evaluated))
        assert (popular.log_count != judged.log_count).any()

    def test_it_is_refit_from_the_seed_of_the_run(self, run, configure):
        run(configure(seed=7, models={"candidates": ["popularity", "als"]}))
        bundle = Bundle.load(registry.download(version(1)))
        served = bundle.serving.members["model"].members["als"]
        from_seven, from_zero = (ALS(served.config, seed=seed).fit(bundle.data) for seed in (7, 0))
        assert (served.Q == from_seven.Q).all()
        assert (served.Q != from_zero.Q).any()

    def test_or_as_it_was_judged(self, run, configure):
        assert run(configure(promotion={"refit": "none"})).serving == "train + validation"
        bundle = Bundle.load(registry.download(version(1)))
        assert bundle.manifest.fitted_on == "train+validation"

    def test_who_does_not_is_kept_with_the_reason(self, run, configure):
        """Popularity alone cannot beat popularity."""
        promotion = run(configure(models={"candidates": ["popularity"]}))
        assert (promotion.promoted, promotion.champion, promotion.version) == (False, None, 1)
        assert "needs > 0.0000: failed" in promotion.reasons[0]
        kept = version(1)
        assert kept.aliases == ("challenger",)
        assert kept.tags["fitted_on"] == "train+validation", "nothing is refit that does not serve"
        assert kept.tags["promotion.promoted"] == "false"

    def test_nothing_is_left_in_the_workshop(self, run, configure, tmp_path):
        run(configure())
        assert list((tmp_path / "store" / "work" / "bundles").iterdir()) == []


class TestNext:
    def test_the_same_again_is_no_challenger(self, run, configure):
        run(configure())
        promotion = run(configure())
        assert (promotion.promoted, promotion.champion, promotion.version) == (False, 1, 1)
        assert promotion.reasons == (
            "champion v1 is this very model: data, settings and code are unchanged since it was promoted",
        )
        assert [one.number for one in registry.versions(MODEL)] == [1]

    def test_a_champion_that_serves_with_the_test_events_is_judged_without_them(self, run, configure, caplog):
        run(configure())
        with caplog.at_level(logging.INFO, "recsys"):
            promotion = run(configure(models={"candidates": ["popularity", "ease"], "params": {"ease": {"reg": 9.0}}}))
        assert (
            "promote: champion v1 is scored by its evaluated model, because the serving one was trained on the test: "
            "60 of 60 test events" in caplog.messages
        )
        assert promotion.champion == 1
        assert " of champion v1: " in promotion.reasons[0]
        assert [reason.split()[0] for reason in promotion.reasons[1:]] == [
            "coverage@10",
            "cold",
            "tail",
            "p95",
            "artifact",
        ]
        assert version(2).aliases == ("challenger",)

    def test_a_better_one_takes_its_place(self, run, configure, install):
        assert install() == 1
        promotion = run(configure())
        assert (promotion.promoted, promotion.champion) == (True, 2)
        assert " of champion v1: +" in promotion.reasons[0]
        assert promotion.gain[1] > 0
        assert (version(1).aliases, version(2).aliases) == (("previous",), ("champion",))

    def test_a_champion_has_the_attributes_that_it_serves_by(self, run, configure, tmp_path):
        """The same data in another currency: buckets of the same users under other names, so models that are equal."""
        models = {"candidates": ["popularity", "fm"], "params": {"fm": {"epochs": 1}}, "device": "cpu"}
        for rate in (1.0, 1.7):
            users = pd.DataFrame({"user_id": range(1, 61), "spend": np.arange(60) * rate})
            users.to_csv(tmp_path / f"{rate}.csv", index=False)
            promotion = run(configure(data={"users": str(tmp_path / f"{rate}.csv")}, models=models))
        assert promotion.gain == (0, 0, 0)

    def test_a_champion_that_knows_the_test_is_not_compared(self, run, configure, toy_events, tmp_path):
        """What the new test asks for, the champion learnt from, even as it was evaluated: it knows a later event."""
        run(configure())
        events = toy_events()
        events[events["timestamp"] < 70_000].to_csv(tmp_path / "earlier.csv", index=False)
        promotion = run(configure(data={"path": str(tmp_path / "earlier.csv")}))
        assert (promotion.promoted, promotion.champion, promotion.gain) == (False, 1, None)
        assert promotion.reasons == (
            "champion v1 cannot be compared honestly: it was trained on the test, even as it was evaluated: "
            "60 of 60 test events",
        )
        assert version(2).tags["promotion.reasons"] == promotion.reasons[0]

    def test_unless_it_has_to_go(self, run, configure, toy_events, tmp_path):
        """Without a user who was forgotten the test begins earlier: the champion has learnt from what it asks for."""
        events = toy_events().sample(frac=1, random_state=0).assign(timestamp=range(480))
        events.to_csv(tmp_path / "events.csv", index=False)
        late = events["timestamp"] >= 432
        user = late.groupby(events["user_id"]).sum().idxmax()
        events[events["user_id"] != user].to_csv(tmp_path / "less.csv", index=False)
        assert run(configure(split={"method": "time"})).promoted
        less = configure(
            split={"method": "time"},
            data={"path": str(tmp_path / "less.csv")},
            # 33 test users prove little.
            promotion={"bootstrap": 200, "refresh_loss": 0.3},
        )
        promotion = run(less, refresh=True)
        assert "v1 cannot be compared honestly: it was trained on the test, even as" in promotion.reasons[0]
        stale.mark(version(1), "it learnt from a user who was forgotten")
        promotion = run(less, refresh=True)
        assert " of champion v1, stale and at an advantage: " in promotion.reasons[0]
        assert promotion.promoted
        assert promotion.champion == promotion.version > 1

    def test_a_promotion_that_was_cut_short_is_taken_up(self, run, configure, monkeypatch):
        def cut(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(registry, "promote", cut)
            with pytest.raises(KeyboardInterrupt):
                run(configure())
        assert version(1).aliases == ("challenger",)
        promotion = run(configure())
        assert (promotion.promoted, promotion.champion) == (True, 1)
        assert [one.number for one in registry.versions(MODEL)] == [1], "what was registered is not registered again"


class TestEvidence:
    def test_a_refresh_is_told_what_those_before_it_lost(self, run, configure, install):
        install()
        tracking.client().set_model_version_tag(MODEL, "1", LOST, "0.04")
        promotion = run(configure(), refresh=True)
        assert "may risk 6.0% of the 10.0% that refreshes may lose in a row" in promotion.reasons[0]

    def test_every_number_is_on_both_versions(self, run, configure, install, tmp_path):
        install()
        promotion = run(configure())
        ours, theirs = version(2), version(1)
        said = {name.removeprefix("promotion."): text for name, text in ours.tags.items() if "promotion." in name}
        assert said["gain"].startswith(f"{promotion.gain[0]:+.4f} [")
        assert (said["baseline"], said["needed"], said["users"]) == ("champion v1", "> 0.0000", "60")
        assert said["guard.p95_latency"].endswith("at most 500.0 ms: passed")
        told = {name.removeprefix("judged."): text for name, text in theirs.tags.items() if "judged." in name}
        assert told.pop("against") == "2"
        assert told == {name: text for name, text in said.items() if name != "replaced"}
        for one, file in ((ours, "verdict.json"), (theirs, "judged/verdict-v2.json")):
            whole = json.loads(Path(tracking.client().download_artifacts(one.run_id, file, str(tmp_path))).read_text())
            assert (whole["version"], whole["against"], whole["promoted"]) == (2, 1, True)
            assert whole["gain"]["lo"] == promotion.gain[1]
            assert [guard["direction"] for guard in whole["guards"]] == [*["at least"] * 3, *["at most"] * 2]

    def test_logged_answers_speak_or_say_why_not(self, run, configure, install):
        """Of 24 items each was shown with the same chance; 200 places are enough for neither side."""
        install()
        with open_store(configure().store) as feedback:
            shown = {"request_id": "r", "propensity": 1 / 24, "position": 1}
            feedback.append(
                [
                    Event(f"e{number}", str(1 + number % 60), str(101 + number % 24), "impression", 100_000,
                          **{**shown, "request_id": f"r{number}"})
                    for number in range(200)
                ],
                "test",
            )  # fmt: skip
        said = run(configure()).reasons[-1]
        assert said.startswith("off-policy reward does not speak: effective sample ")
        assert said.endswith(" of 200 logged places, needs 100: passed")


class TestTakenOff:
    """What a person took off is not promoted again by a rerun."""

    def test_after_a_rollback(self, run, configure, install):
        install()
        assert run(configure()).promoted
        registry.rollback(MODEL, "clicks fell")
        again = run(configure())
        assert (again.promoted, again.champion, again.version) == (False, 1, 2)
        (reason,) = again.reasons
        assert re.match(
            r"version 2 is this very model, and a person replaced it by version 1 on \S+, because 'clicks fell'; ",
            reason,
        )
        assert "`recsys promote --model models:/recsys-toy/2 --force --why TEXT` brings this one back" in reason
        assert registry.champion(MODEL) == 1
        assert version(2).tags["promotion.promoted"] == "true", "what the gate said then stays"

    def test_whichever_of_its_versions_it_was(self, run, configure, install):
        """A model that is refused where it won before is registered once more, not refit on everything."""
        assert run(configure()).champion == 1
        weaker = install()
        assert run(configure(promotion={"min_gain": 0.9})).version == 3
        registry.promote(MODEL, 1, {}, against=weaker, why="the first was better")
        assert run(configure()).reasons[0].startswith("champion v1 is this very model")
        registry.promote(MODEL, weaker, {}, against=1, why="it was not")
        again = run(configure())
        assert (again.promoted, again.champion, again.version) == (False, weaker, 1)
        assert again.reasons[0].startswith("version 1 is this very model, and a person replaced it")

    def test_until_it_is_brought_back_or_becomes_another_model(self, run, configure, install):
        install()
        run(configure())
        registry.rollback(MODEL)
        other = run(configure(models={"candidates": ["popularity", "ease"], "params": {"ease": {"reg": 9.0}}}))
        assert (other.promoted, other.champion) == (True, 3)
        assert registry.withdrawn(MODEL).keys() == {2}
        registry.promote(MODEL, 2, {}, against=3, why="asked")
        assert run(configure()).reasons[0].startswith("champion v2 is this very model")
        assert registry.withdrawn(MODEL).keys() == {3}


class TestRace:
    @pytest.fixture
    def meanwhile(self, monkeypatch, install):
        """Another run makes itself champion while this one judges, at the first judgements."""
        verdicts = []

        def happens(times):
            def judge(*args, whole=gate._judge):
                verdicts.append(whole(*args))
                if len(verdicts) <= times:
                    install()
                return verdicts[-1]

            monkeypatch.setattr(gate, "_judge", judge)
            return verdicts

        return happens

    def test_the_challenger_is_judged_again_against_the_new_champion(self, run, configure, meanwhile, caplog):
        verdicts = meanwhile(1)
        promotion = run(configure())
        assert [" of popularity (no champion yet)" in verdict.reasons[0] for verdict in verdicts] == [True, False]
        rival = 1
        assert f" of champion v{rival}: " in promotion.reasons[0]
        assert (promotion.promoted, promotion.champion) == (True, 2)
        assert [one.number for one in registry.versions(MODEL)] == [1, 2]
        assert (
            "promote: version 2 of recsys-toy was judged against no champion, but the champion is now version 1: "
            "judge again" in caplog.messages
        )

    def test_but_not_for_ever(self, run, configure, meanwhile):
        verdicts = meanwhile(99)
        with pytest.raises(ChampionChangedError, match="judge again"):
            run(configure())
        assert len(verdicts) == gate.MOST_JUDGEMENTS
        assert registry.champion(MODEL) == max(one.number for one in registry.versions(MODEL))
