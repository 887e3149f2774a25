"""Each way to proportions as a function of how often each read or region counts, so that all can be resampled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .bootstrap import intervals
from .cohort_mixture import CohortMixture, Counts, cohort_mixture
from .estimates import UNKNOWN, Estimate
from .fractions import fractions, means
from .least_squares import least_squares
from .marker_reads import MarkerReads
from .mixture import proportions, with_unknown
from .read_states import estimated_states, filled_shares, read_state_log_likelihoods
from .region_tables import RegionTable

LIKELIHOOD, LEAST_SQUARES, NETWORK = "likelihood", "least-squares", "region-network"
ARRAY_READS = 50
"""A share in a table without depths counts as so many reads: an array's shares scatter about as theirs do."""
_TABLE_EDGE = 0.01
"""So far from 0 and 1 is methylation in a table: arrays and conversion err by about as much."""
_RESAMPLES_GAP = 0.01
"""Log-likelihoods of resamples may stay so far below their maximum: little beside what resampling does."""
_COHORT_CYCLES = 60

Estimator = Callable[[np.ndarray], np.ndarray]
"""From counts (rows,) to proportions float64 (tissues,), the unknown part last where there is one."""


def likelihood_estimator(log_likelihoods: np.ndarray, counts: np.ndarray, unknown: bool) -> Estimator:
    """Maximum likelihood of log-likelihoods (rows, classes); resamples begin from what all reads gave."""
    table = with_unknown(log_likelihoods) if unknown else log_likelihoods
    whole = proportions(table, counts)

    def estimate(drawn: np.ndarray) -> np.ndarray:
        return whole if drawn is counts else proportions(table, drawn, whole, _RESAMPLES_GAP)

    return estimate


def atlas_estimator(reads: MarkerReads, unmethylated: np.ndarray, unknown: bool) -> Estimator:
    """Maximum likelihood of reads under an atlas' shares (markers, types), as `read_states` has it."""
    table = read_state_log_likelihoods(reads, unmethylated, estimated_states(reads))
    return likelihood_estimator(table, reads.counts, unknown)


def least_squares_estimator(reads: MarkerReads, unmethylated: np.ndarray, unknown: bool) -> Estimator:
    """UXM's way, each marker weighted by its reads; what the profiles lack to 1 in all is unknown, where asked for."""
    markers = len(unmethylated)
    profiles = np.where(np.isnan(unmethylated), filled_shares(unmethylated), unmethylated)

    def estimate(drawn: np.ndarray) -> np.ndarray:
        found = fractions(reads.with_counts(drawn), markers)
        return least_squares(profiles, found.shares, found.depths, unknown)

    return estimate


def network_estimator(
    reads: MarkerReads, rows: np.ndarray, markers: int, run: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Estimator:
    """A network of region means. rows: int64 (regions,), which of so many markers its regions are; ``run`` takes means
    (1, regions), 0 without reads, and how many calls of CpGs each is of, and gives proportions (1, tissues)."""

    def estimate(drawn: np.ndarray) -> np.ndarray:
        values, calls = means(reads.with_counts(drawn), markers)
        return run(np.nan_to_num(values)[None, rows], calls[None, rows])[0]

    return estimate


def estimate_sample(
    name: str,
    method: str,
    tissues: tuple[str, ...],
    estimator: Estimator,
    counts: np.ndarray,
    reads: int,
    resamples: int,
    seed: int,
) -> Estimate:
    """A sample's proportions with their intervals."""
    low, high = intervals(estimator, counts, resamples, seed)
    return Estimate(name, method, tissues, estimator(counts), low, high, reads)


def estimate_table(
    table: RegionTable, reference: RegionTable, method: str, unknown: bool, resamples: int, seed: int
) -> list[Estimate]:
    """The samples of a table, whose regions are those of the reference, with intervals by resampling regions.

    Where both have depths, maximum likelihood is that of all samples at once (`cohort_mixture`); otherwise each sample
    by itself under the reference as it stands.
    """
    if method == LIKELIHOOD and table.depths is not None and reference.depths is not None:
        return _estimate_cohort(table, reference, unknown, resamples, seed)
    tissues = reference.columns + (UNKNOWN,) * unknown
    estimates = []
    for column, name in enumerate(table.columns):
        shares = table.shares[:, column]
        depths = np.full(len(shares), float(ARRAY_READS)) if table.depths is None else table.depths[:, column]
        known = ~np.isnan(shares) & ~np.isnan(reference.shares).any(axis=1) & (depths > 0)
        shares, depths, profiles = shares[known], depths[known], reference.shares[known]
        if method == LEAST_SQUARES:
            estimator = _table_least_squares(shares, depths, profiles, unknown)
        else:
            estimator = _table_likelihood(shares, depths, profiles, unknown)
        reads = int(known.sum()) if table.depths is None else round(depths.sum())
        ones = np.ones(len(shares), dtype=np.int64)
        estimates.append(estimate_sample(name, method, tissues, estimator, ones, reads, resamples, seed))
    return estimates


def _table_least_squares(shares, depths, profiles, unknown) -> Estimator:
    return lambda drawn: least_squares(profiles, shares, drawn * depths, unknown)


def _table_likelihood(shares, depths, profiles, unknown) -> Estimator:
    """Each region as its methylated and its unmethylated reads."""
    inside = np.clip(profiles, _TABLE_EDGE, 1 - _TABLE_EDGE)
    of_types = np.log(np.concatenate([inside, 1 - inside]))
    counts = np.concatenate([shares * depths, (1 - shares) * depths])
    estimator = likelihood_estimator(of_types, counts, unknown)
    return lambda drawn: estimator(counts if (drawn == 1).all() else np.tile(drawn, 2) * counts)


def _estimate_cohort(
    table: RegionTable, reference: RegionTable, unknown: bool, resamples: int, seed: int
) -> list[Estimate]:
    def counts_of(one: RegionTable) -> Counts:
        return Counts((np.nan_to_num(one.shares) * one.depths).T, one.depths.T)

    samples, types = counts_of(table), counts_of(reference)
    start: CohortMixture = cohort_mixture(samples, types, int(unknown))

    def estimate(drawn: np.ndarray) -> np.ndarray:
        chosen = samples.weighted(drawn), types.weighted(drawn)
        return cohort_mixture(*chosen, int(unknown), start, _COHORT_CYCLES).proportions

    low, high = intervals(estimate, np.ones(len(table.regions), dtype=np.int64), resamples, seed)
    tissues, depths = reference.columns + (UNKNOWN,) * unknown, samples.depths
    return [
        Estimate(name, LIKELIHOOD, tissues, start.proportions[row], low[row], high[row], round(depths[row].sum()))
        for row, name in enumerate(table.columns)
    ]
