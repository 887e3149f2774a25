"""The fuzzing of `benchmarks/fuzz.py` in short: the same few hundred inputs a target on every run."""

import fuzz_targets
import pytest
from hypothesis import HealthCheck, Phase, given, settings

EXAMPLES = {
    "fasta": 150, "fai": 120, "regions": 120, "bed": 120, "sheet": 120, "card": 120, "model": 40, "pieces": 25,
    "command": 60, "process": 2,
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_inputs_end_as_promised(name, tmp_path):
    target = fuzz_targets.TARGETS[name]
    accepted = []

    @settings(
        max_examples=EXAMPLES[name],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a failing command would be shrunk for minutes
    )
    @given(target.inputs)
    def check(value):
        accepted.append(target.check(tmp_path, value))

    check()
    assert name == "process" or 0.2 < sum(accepted) / len(accepted) < 0.8, "too one-sided to test much"


def test_every_target_is_tested():
    assert EXAMPLES.keys() == fuzz_targets.TARGETS.keys()
