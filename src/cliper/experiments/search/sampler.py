"""A sampler that draws trial n from a generator of its own: an interruption shifts nothing."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from cliper.experiments.search.kinds import SamplerKind
from cliper.experiments.search.space import Choice, Range, Space, combinations, size

STARTUP = 10  # trials drawn at random before TPE has something to go by
TRIES = 20  # before an untried configuration of a finite space is picked


class NumberedSampler(optuna.samplers.BaseSampler):
    """TPE or random draws, seeded by the search's seed and the trial's number.

    What trial n is depends on the seed and on the results of other trials alone, so a search that
    was killed and resumed draws what an uninterrupted one does. A configuration of a finite space
    is not tried twice.

    Args:
        space: what is searched.
        kind: `tpe`, `random`, or `grid` for every combination in order.
        seed: of the search.
    """

    def __init__(self, space: Space, kind: SamplerKind, seed: int) -> None:
        self._space, self._kind, self._seed = space, kind, seed
        self._distributions = {key: distribution(one) for key, one in space.items()}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All of the space, from the first trial on."""
        return dict(self._distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One configuration."""
        if self._kind == "grid":
            return next(itertools.islice(combinations(self._space), trial.number, None))
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        tried = {_key(t.params) for t in others if t.params}
        useful = [t for t in others if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        by_tpe = self._kind == "tpe" and len(useful) >= STARTUP
        drawn: dict[str, Any] = {}
        for turn in range(TRIES):
            seed = self._number(trial.number, turn)
            if by_tpe:
                tpe = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
                drawn = tpe.sample_relative(study, trial, search_space)
            else:
                generator = np.random.default_rng(seed)
                drawn = {key: _draw(one, generator) for key, one in self._space.items()}
            if size(self._space) is None or _key(drawn) not in tried:
                return drawn
        untried = [c for c in combinations(self._space) if _key(c) not in tried]
        generator = np.random.default_rng(self._number(trial.number, TRIES))
        return untried[int(generator.integers(len(untried)))] if untried else drawn

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Never needed: the whole space is drawn at once."""
        raise NotImplementedError(param_name)

    def _number(self, trial: int, turn: int) -> int:
        return int(np.random.SeedSequence([self._seed, trial, turn]).generate_state(1)[0])


def distribution(one: Choice | Range) -> BaseDistribution:
    """Optuna's name for it."""
    if isinstance(one, Choice):
        return CategoricalDistribution(one.values)
    if one.integer:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _draw(one: Choice | Range, generator: np.random.Generator) -> Any:
    if isinstance(one, Choice):
        return one.values[int(generator.integers(len(one.values)))]
    if one.log:
        # whole numbers share the scale of their cells' ends
        low, high = (one.low - 0.5, one.high + 0.5) if one.integer else (one.low, one.high)
        value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
        return min(max(round(value), int(one.low)), int(one.high)) if one.integer else value
    if one.integer:
        return int(generator.integers(int(one.low), int(one.high) + 1))
    return float(generator.uniform(one.low, one.high))


def _key(params: Mapping[str, Any]) -> str:
    return repr(sorted(params.items(), key=str))
