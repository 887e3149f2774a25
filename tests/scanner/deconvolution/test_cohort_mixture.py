"""All samples of a cohort at once, the reference's uncertainty with them."""

import numpy as np

from genoscan.scanner.deconvolution.cohort_mixture import Counts, cohort_mixture
from genoscan.scanner.deconvolution.mixture import proportions


def cohort(truth, depth, reference_depth, seed=0, regions=400):
    generator = np.random.default_rng(seed)
    methylation = generator.choice([0.05, 0.95], (truth.shape[1], regions), p=[0.4, 0.6])
    depths = np.full((len(truth), regions), depth)
    samples = Counts(generator.binomial(depths, truth @ methylation).astype(float), depths.astype(float))
    known = np.full((truth.shape[1], regions), reference_depth)
    return samples, Counts(generator.binomial(known, methylation).astype(float), known.astype(float))


TRUTH = np.array([[0.7, 0.2, 0.1], [0.4, 0.6, 0.0], [0.9, 0.0, 0.1], [0.5, 0.25, 0.25]])


def test_proportions_are_found():
    found = cohort_mixture(*cohort(TRUTH, 100, 200), unknown=0)
    np.testing.assert_allclose(found.proportions, TRUTH, atol=0.02)


def test_a_sure_reference_gives_what_each_sample_gives_by_itself():
    samples, reference = cohort(TRUTH, 30, 10**7)
    found = cohort_mixture(samples, reference, unknown=0)
    levels = reference.methylated / reference.depths
    table = np.log(np.concatenate([levels.T, 1 - levels.T]))
    for row, shares in enumerate(found.proportions):
        counts = np.concatenate([samples.methylated[row], samples.depths[row] - samples.methylated[row]])
        np.testing.assert_allclose(shares, proportions(table, counts), atol=2e-3)


def test_a_type_that_the_reference_lacks_is_unknown():
    samples, reference = cohort(TRUTH, 200, 200)
    known = Counts(reference.methylated[:2], reference.depths[:2])
    found = cohort_mixture(samples, known, unknown=1)
    assert np.corrcoef(found.proportions[:, 2], TRUTH[:, 2])[0, 1] > 0.9
    without = cohort_mixture(samples, known, unknown=0)
    assert found.log_likelihood > without.log_likelihood + 100


def test_order_of_samples_and_regions_does_not_matter():
    samples, reference = cohort(TRUTH, 50, 50)
    whole = cohort_mixture(samples, reference, unknown=0).proportions
    places = np.random.default_rng(1).permutation(400)
    moved = (Counts(*(one[:, places] for one in part)) for part in (samples, reference))
    np.testing.assert_allclose(cohort_mixture(*moved, unknown=0).proportions, whole, atol=1e-3)
    turned = Counts(samples.methylated[::-1], samples.depths[::-1])
    np.testing.assert_allclose(cohort_mixture(turned, reference, unknown=0).proportions[::-1], whole, atol=1e-3)


def test_regions_without_reads_say_nothing():
    samples, reference = cohort(TRUTH, 100, 200)
    holes = Counts(*(np.pad(one, ((0, 0), (0, 5))) for one in samples))
    empty = Counts(*(np.pad(one, ((0, 0), (0, 5))) for one in reference))
    found = cohort_mixture(holes, empty, unknown=0).proportions
    np.testing.assert_allclose(found, cohort_mixture(samples, reference, unknown=0).proportions, atol=1e-3)
