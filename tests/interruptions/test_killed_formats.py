"""Scans to formats with an index at their end are killed with SIGKILL and go on."""

import pytest
from interrupted_scans import killed, outputs, resumed_bases, slow


@pytest.mark.parametrize("name", [pytest.param("x.bb", marks=pytest.mark.long), "x.bw", "x.parquet"])
def test_a_track_of_any_format_goes_on(place, name):
    scan = slow("-t", "2", output=name)
    kept = killed(place, *scan, folder=f"{name}.pieces")
    place.finish(*scan, "--resume")
    assert place.made() == {name, f"{name}.json"}
    resumed = outputs(place.here, name)
    assert resumed_bases(place.here / f"{name}.json") == sum(kept.values())
    place.finish(*scan)
    assert outputs(place.here, name) == resumed
