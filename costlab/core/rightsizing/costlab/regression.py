"""Linear quantile regression, pooled over many subjects, by reweighted least squares. Koenker and Bassett, 1978."""

from dataclasses import dataclass

import numpy as np

from costlab.core.arrays import Floats

_ROUNDED = 0.01  # a miss smaller than this counts as of this size, so that the loss has no corner
_RIDGE = 0.1  # of the mean curvature; without it features that say the same drive the weights apart
_CLIPPED = 5.0  # standard deviations: a feature beyond counts as there, so that one odd subject cannot lead
_ROUNDS, _MORE_ROUNDS, _SETTLED = 60, 4, 1e-3  # of a first fit, and of one that begins from the last one


@dataclass(frozen=True, slots=True)
class Fitted:
    """Quantiles of a target, by level. centre, scale: (features,). weights: (levels, 1 + features), a constant first."""

    centre: Floats
    scale: Floats
    weights: Floats

    def quantiles(self, known: Floats) -> Floats:
        """The quantiles at features (…, features): (…, levels), rising, since those of different fits may cross."""
        scaled = np.clip((known - self.centre) / self.scale, -_CLIPPED, _CLIPPED)
        return np.maximum.accumulate(scaled @ self.weights[:, 1:].T + self.weights[:, 0], axis=-1)


def fitted(
    known: Floats, target: Floats, levels: Floats, last: Fitted | None = None, ridge: float = _RIDGE
) -> Fitted:
    """The weights under which each level's share of the targets lies below. known: (rows, features), target: (rows,).

    last: an earlier fit on most of the same rows, to begin from. ridge: of the mean curvature, on all weights but the
    constant.
    """
    centre, scale = known.mean(axis=0), known.std(axis=0)
    scale = np.where(scale > 1e-9 * (1 + np.abs(centre)), scale, np.inf)  # what never varies tells nothing
    design = np.ones((len(known), 1 + known.shape[1]))
    design[:, 1:] = np.clip((known - centre) / scale, -_CLIPPED, _CLIPPED)
    begin = np.zeros((len(levels), design.shape[1])) if last is None else last.weights.copy()
    if last is None:
        begin[:, 0] = np.quantile(target, levels)
    rounds = _ROUNDS if last is None else _MORE_ROUNDS
    each_level = zip(levels, begin, strict=True)
    weights = np.array([_at_level(design, target, *each, ridge, rounds) for each in each_level])
    return Fitted(centre, scale, weights)


def _at_level(
    design: Floats, target: Floats, level: float, weights: Floats, ridge: float, rounds: int
) -> Floats:
    """The weights of one level: each round is least squares, weighted by slope / distance of the last one."""
    penalty = np.full(len(weights), ridge)
    penalty[0] = 0.0
    for _ in range(rounds):
        miss = target - design @ weights
        pull = np.where(miss > 0, level, 1 - level) / np.maximum(np.abs(miss), _ROUNDED)
        pulled = design * pull[:, None]
        curvature = pulled.T @ design
        curvature[np.diag_indices(len(weights))] += penalty * curvature[0, 0] + 1e-12
        found = np.asarray(np.linalg.solve(curvature, pulled.T @ target), np.float64)
        settled = np.abs(found - weights).max() < _SETTLED
        weights = found
        if settled:
            break
    return weights
