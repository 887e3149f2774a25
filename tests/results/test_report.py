"""Reports: what they say against the tracks, and how a real browser shows them."""

import math
import re
from html.parser import HTMLParser

import commands
import numpy as np
import pytest
import toys
from commands import scan_file

from genoscan.results.charts import bases, linear, logarithmic, short, told_apart
from genoscan.results.runs import find_runs
from genoscan.results.statistics import Density, call_statistics
from genoscan.results.top_calls import _rounded, _words
from genoscan.results.tracks import Row, read_calls
from genoscan.scanner.card import Calling

PEAKS = Calling(threshold=0.5, extend=0.125, prominence=0.25, min_length=9)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Tracks of repeats, of peaks on both strands and their raw scores, of a genome of thirty contigs; and the page."""
    folder = tmp_path_factory.mktemp("report")
    random = np.random.default_rng(3)
    letters = np.array(list("ACGT"))
    records = {f"contig<{number}>&": "".join(letters[random.integers(0, 4, 400 + 50 * number)]) for number in range(30)}
    records["contig<7>&"] += "ACGGT" * 40
    (folder / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records.items()))
    toys.write(folder / "peaks.onnx", toys.base_model("G", 128, 16, 8, strand="both", calling=PEAKS))
    (folder / "tracks").mkdir()
    for model, name in (("repeats", "repeats.bed"), ("peaks.onnx", "peaks.bb"), ("peaks.onnx", "scores.bw")):
        own = model if model == "repeats" else folder / model
        scan_file(folder / "genome.fa", own, folder / "tracks" / name)
    result = commands.invoke("report", folder / "tracks", "-o", folder / "report.html", "--top", 5)
    assert (result.exit_code, result.output) == (0, f"{folder / 'report.html'}\n"), result.output
    return folder


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_a_page_stands_alone_and_is_well_formed(place):
    text = (place / "report.html").read_text()
    page = Page(text)
    assert not re.search(r"https?:|@import|url\(", text)
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object")]
    assert [named["href"] for tag, named in page.tags if tag == "link"] == ["data:,"]
    identifiers = [named["id"] for _, named in page.tags if "id" in named]
    assert {named["href"][1:] for tag, named in page.tags if tag == "a"} == set(identifiers)


def test_a_page_says_what_the_tracks_say(place):
    text = Page((place / "report.html").read_text()).text
    runs = {run.output.name: run for run in find_runs([str(place / "tracks")])}
    for name, run in runs.items():
        assert name in text
        assert run.summary["genome"]["digest"] in text
        assert run.summary["model"]["sha256"] in text
        assert f"{run.summary['counts']['calls']:,}" in text
    best = max(read_calls(runs["repeats.bed"]), key=lambda row: (row.score, row.end - row.start))
    assert f"{best.chrom}:{best.start + 1:,}–{best.end:,}" in text
    assert best.more[-1][:20] in text
    assert "ACGGT" * 6 in text.replace("\n", "") or "CGGTA" * 6 in text.replace("\n", "")
    assert re.search(r"[\d,]+ lines on other contigs", text)  # thirty contigs, of which the longest are drawn


def test_the_highest_calls_have_their_scores_and_bases(place):
    text = (place / "report.html").read_text()
    cards = re.findall(r'<div class="card call">.*?(?=<div class="card call">|<details>)', text, re.DOTALL)
    assert len(cards) <= 10
    peaks = [card for card in cards if "prominence" in card]
    assert len(peaks) == 5
    assert all('class="curve"' in card for card in peaks)  # as the raw scores of the same scan are there
    assert all('class="curve"' not in card for card in cards if "prominence" not in card)
    run = next(run for run in find_runs([str(place / "tracks")]) if run.output.name == "peaks.bb")
    row = max(read_calls(run), key=lambda row: (row.score, row.end - row.start))
    shown = "".join(re.findall(r"<i class=(\w)>", peaks[0]))
    records = dict(re.findall(r">(\S+)\n(\w+)", (place / "genome.fa").read_text()))
    expected = records[row.chrom][row.start : row.end]
    complement = expected[::-1].translate(str.maketrans("ACGT", "TGCA"))
    assert shown == {"+": expected, "-": complement}[row.strand][: len(shown)]
    assert len(shown) == min(len(expected), 34 * 7)


def test_a_genome_that_is_gone_leaves_a_page_without_bases(place, tmp_path):
    (tmp_path / "genome.fa").write_text((place / "genome.fa").read_text())
    scan_file(tmp_path / "genome.fa", place / "peaks.onnx", tmp_path / "x.gff3")
    (tmp_path / "genome.fa").write_text(">a\nACGT\n")
    result = commands.invoke("report", tmp_path / "x.gff3", "-o", tmp_path / "x.html")
    assert result.exit_code == 0
    assert "genome.fa: has changed since it was scanned; the report shows no bases" in result.stderr
    page = (tmp_path / "x.html").read_text()
    assert '<p class="bases">' not in page
    assert '<div class="card call">' in page


def test_a_track_without_calls_has_a_page(place, tmp_path):
    (tmp_path / "genome.fa").write_text(">a\n" + "A" * 200 + "\n")
    scan_file(tmp_path / "genome.fa", place / "peaks.onnx", tmp_path / "x.parquet")
    result = commands.invoke("report", tmp_path, "-o", tmp_path / "x.html")
    assert result.exit_code == 0, result.stderr
    assert "No call reaches the threshold." in Page((tmp_path / "x.html").read_text()).text


def rows_of(*places):
    return [Row("a", start, end, "x", score, strand, ()) for start, end, score, strand in places]


def test_density_is_the_share_of_each_bin():
    density = Density.of({"a": 480, "b": 13})
    assert density.size == 2
    for place in ((0, 1), (3, 8), (479, 480)):
        density.add("a", *place, False)
    density.add("b", 11, 13, True)
    density.add("elsewhere", 0, 9, True)
    assert density.shares("a")[0, :5].tolist() == [0.5, 0.5, 1, 1, 0]
    assert density.shares("a")[0, -1] == 0.5
    assert density.shares("b")[1].tolist() == [0, 0, 0, 0, 0, 0.5, 1]
    assert density.elsewhere == 1


def test_statistics_by_hand():
    rows = rows_of((0, 10, 500, "+"), (20, 40, 900, "-"), (50, 55, 900, "."), (60, 90, 100, "."))
    found = call_statistics(iter(rows), {"a": 100}, [], 2)
    assert found.top == [rows[1], rows[2]]
    assert (found.calls, found.length_at(0.5), found.length_at(1)) == (4, 10, 30)
    assert found.density.sums["a"].sum(axis=1).tolist() == [45, 20]


def heights(chart):
    return [float(one) for one in re.findall(r'<rect class="bar"[^>]* height="([\d.]+)"', chart)]


def test_bars_are_as_high_as_the_counts():
    bars = heights(linear({100: 4, 910: 2, 1000: 2}, 100, 0, 1000, "score", "calls"))
    assert bars == pytest.approx([bars[0], bars[0]])  # 4 and, in the last bin, 2 + 2
    low, high = heights(logarithmic({10: 1, 999: 3}, "length", "calls"))
    assert high == pytest.approx(3 * low, rel=0.01)


def test_bars_of_logarithms_still_show_a_single_one():
    one, many = heights(linear({0: 1, 900: 10_000}, 100, 0, 1000, "raw score", "bases", powers=True))
    assert one / many == pytest.approx(math.log10(2) / math.log10(20_000), abs=0.01)


def test_what_is_not_known_is_not_said():
    said = {"share": "1.0000", "secondTissue": ".", "secondShare": "0", "secondEvidence": "0", "target": "."}
    assert _words(said) == [("share", "1")]
    assert _words({"itemRgb": "0,0,0", "shuffledPerMb": "-1", "reads": "3"}) == [("reads", "3")]


def test_numbers_beside_bars_are_whole():
    for most in (1, 2, 3, 4, 7, 90):
        chart = linear({5: most}, 1, 0, 10, "score", "calls")
        beside = re.findall(r'text-anchor="end">([^<]+)</text>', chart.split("<rect")[0])
        assert beside
        assert not [one for one in beside if "." in one]


def test_numbers_of_a_call_have_three_digits():
    texts = ["2.9792", "150.9776", "0.8", "-1", "12345.678", "AC", "liver=0.51,blood=0.2"]
    assert list(map(_rounded, texts)) == ["2.98", "151", "0.8", "-1", "12345.678", "AC", "liver=0.51,blood=0.2"]


def test_long_names_are_cut_to_what_tells_them_apart():
    assert told_apart(["scaffold_1_of_it", "scaffold_12_of_it"]) == {
        "scaffold_1_of_it": "…1…",
        "scaffold_12_of_it": "…12…",
    }
    for names in (["chr1", "chr2"], ["one_long_name_alone"], ["NC_000001.11", "NC_000002.12"]):
        assert told_apart(names) == {name: name for name in names}


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 bp"), (999, "999 bp"), (1500, "1.5 kb"), (4_639_675, "4.6 Mb"), (400_000, "400 kb")]
)
def test_bases_as_text(value, text):
    assert bases(value) == text
    assert [short(one) for one in (0.5, 950, 1200, 3.4e6)] == ["0.5", "950", "1.2k", "3.4M"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (320, "dark")])
def test_a_browser_shows_it_without_complaint(place, browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((place / "report.html").as_uri())
    assert (said, len(asked)) == ([], 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chosen, least in (("svg.chart", 5), (".contig svg", 72), (".call", 6), ("svg.curve", 5)):
        boxes = [one.bounding_box() for one in page.query_selector_all(chosen)]
        assert len(boxes) >= least
        assert all(box["width"] > 0 and box["height"] > 10 and box["x"] + box["width"] <= width for box in boxes)
    for one in page.query_selector_all("summary"):
        one.click()
    assert page.is_visible("text=SHA-256")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    ink, paper = (sum(map(int, re.findall(r"\d+", one)[:3])) for one in (ink, paper))
    assert (ink > paper) == (scheme == "dark")
    assert abs(ink - paper) > 400
    context.close()
