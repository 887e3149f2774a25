"""What a user may ask to have explained."""

import pytest
import toys

from genoscan.scanner.errors import UsageError
from genoscan.scanner.explaining.places import Place, places_of_regions, places_of_track, places_within
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.reading.genome import open_genome


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">one\n" + "ACGT" * 50 + "\n>two\n" + "ACGT" * 50 + "\n")
    with open_genome(path) as opened:
        yield opened


def card(tmp_path, strand):
    return read_card(toys.write(tmp_path / "m.onnx", toys.base_model("G", 64, 16, 8, strand=strand)))


def track(tmp_path, *lines):
    path = tmp_path / "track.bed"
    path.write_text("#chrom\tstart\tend\tname\tscore\tstrand\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_lines_keep_their_strand_and_others_have_all_that_are_read(genome, tmp_path):
    bed = track(tmp_path, "two\t5\t9\tx\t0\t-", "one\t1\t2", "one\t3\t3\tx\t0\t+")
    both = card(tmp_path, "both")
    assert places_of_track(bed, genome, both) == [Place(1, 5, 9, "-"), Place(0, 1, 2, "+"), Place(0, 1, 2, "-")]
    assert places_of_track(bed, genome, card(tmp_path, "symmetric")) == [Place(1, 5, 9, "."), Place(0, 1, 2, ".")]


def test_a_strand_that_is_not_read_and_none_at_all_are_told(genome, tmp_path):
    with pytest.raises(UsageError, match=r"track\.bed line 2: strand '-': model base-G reads \+"):
        places_of_track(track(tmp_path, "two\t5\t9\tx\t0\t-"), genome, card(tmp_path, "forward"))
    with pytest.raises(UsageError, match=r"track\.bed line 2: '5' is no strand"):
        places_of_track(track(tmp_path, "two\t5\t9\tx\t0\t5"), genome, card(tmp_path, "both"))
    with pytest.raises(UsageError, match=r"track\.bed line 2: ends at 900"):
        places_of_track(track(tmp_path, "two\t5\t900\tx\t0\t+"), genome, card(tmp_path, "both"))


def test_regions_are_on_all_strands_and_keep_the_calls_in_them(genome, tmp_path):
    regions = places_of_regions(["two:6-9"], genome, card(tmp_path, "both"))
    assert regions == [Place(1, 5, 9, "+"), Place(1, 5, 9, "-")]
    calls = [Place(1, 0, 5, "+"), Place(1, 0, 6, "+"), Place(1, 8, 20, "-"), Place(1, 9, 20, "-"), Place(0, 5, 9, "+")]
    assert places_within(calls, regions) == [Place(1, 0, 6, "+"), Place(1, 8, 20, "-")]
