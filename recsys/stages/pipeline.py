"""Stages 3 and 4 and the test in one call, for whoever needs no run page: the backtest, a notebook."""

from collections.abc import Callable
from dataclasses import dataclass

from recsys.config import Config
from recsys.data.prepared import Prepared
from recsys.stages import candidates, sharing
from recsys.stages.candidates import Fitted, Searched
from recsys.stages.evaluate import Tested, evaluate_models
from recsys.stages.hybrids import Chosen, fit_hybrids
from recsys.tuning.budget import Budget


@dataclass(frozen=True, eq=False)
class Trained:
    """What the gate judges."""

    fitted: dict[str, Fitted]
    outcome: Chosen
    tested: Tested


def train(config: Config, prepared: Prepared, tell: Callable[[str], None] = lambda reason: None) -> Trained:
    """Look at every candidate, search by what each earns, refit, combine, open the test; `tell` hears of refusals.

    The same steps, in the same order, as those of the flow `train`.
    """
    refused = {name: candidates.refusal(name, config, prepared) for name in config.models.candidates}
    for reason in filter(None, refused.values()):
        tell(reason)
    admitted = [name for name, reason in refused.items() if reason is None]
    even = Budget.even(config.tuning.timeout, admitted)
    first: dict[str, Searched] = {}
    for name in admitted:
        first[name] = candidates.first_look(name, config, prepared, even.share(name))
        even.spend(name, first[name].tuned.seconds)
    budget = sharing.budget(config, prepared, first)
    searched: dict[str, Searched] = {}
    for one in budget.order:
        searched[one] = candidates.search(first[one], config, prepared, budget.earned[one], budget.share(one))
        budget.spend(one, searched[one].tuned.seconds - first[one].tuned.seconds)
    fitted: dict[str, Fitted] = {name: candidates.refit(searched[name], config, prepared) for name in admitted}
    outcome, _ = fit_hybrids(config, prepared, fitted)
    tested, _ = evaluate_models(config, prepared, fitted, outcome)
    return Trained(fitted, outcome, tested)
