"""What an .onnx says about itself: the model card in its metadata.

The card is JSON under the metadata key ``genoscan``. It holds all that is needed to scan with the model: how bases
become tensors, how windows lie on a contig, what the outputs mean, how calls are made from them, and where the model
comes from. A card is checked when it is read; an error names the field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import GenoscanError

CARD_KEY = "genoscan"

_LARGEST_WINDOW = 2**27
LARGEST_LAG = 4096  # the encoder is compiled for its lags, unrolled: many more would take for ever
_LARGEST_NUMBER = 2**53  # whole numbers to here are safe in JSON, and sums of them in int64
_SCORE_STEP = 0.0001  # scores are kept in ten-thousandths
_BED_NAME = r"^[\x20-\x7e]{1,255}$"  # BED v1: what a name column may hold
Score = Annotated[float, Field(ge=-200_000, le=200_000)]
Token = Annotated[int, Field(ge=0, le=_LARGEST_NUMBER)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SpectrumInput(_Part):
    """Lag spectrum (`encoding.spectrum`): one tensor uint8 (batch, window // 16, features)."""

    kind: Literal["spectrum"] = "spectrum"
    lags: int = Field(gt=0, le=LARGEST_LAG, multiple_of=64, description="largest lag in bases")


class KmerInput(_Part):
    """k-mer tokens: one tensor int64 (batch, tokens).

    A token is ``offset`` plus the k-mer's rank with ``letters`` as digits, first base most significant. A k-mer
    with an unknown base is the token ``unknown``. ``prefix`` and ``suffix`` (CLS, SEP) stand around each window.

    With ``singles``, as the Nucleotide Transformer has it, k-mers stand side by side from the left as long as they are
    whole and known; every base at which none begins is a token by itself. Then the number of tokens depends on where
    unknown bases are, and those at a window's ends are left out (not for segmentation).
    """

    kind: Literal["kmer"] = "kmer"
    k: int = Field(ge=1, le=12)
    stride: int = Field(
        ge=1, le=_LARGEST_WINDOW, description="bases from one token to the next; 1 = overlapping, k = side by side"
    )
    letters: str = Field(default="ACGT", pattern="^[ACGT]{4}$")
    offset: Token = 0
    unknown: Token
    prefix: tuple[Token, ...] = ()
    suffix: tuple[Token, ...] = ()
    singles: tuple[Token, Token, Token, Token, Token] | None = Field(
        default=None, description="tokens of a single A, C, G, T and unknown base, for stride k"
    )
    longest: int | None = Field(default=None, gt=0, description="most tokens that the model can read, with singles")


class BytePairInput(_Part):
    """Byte-pair tokens: one tensor int64 (batch, tokens), of as many tokens as the windows need.

    ``tokenizer`` is a tokenizer.json of the `tokenizers` library, which adds the special tokens too. A window's tokens
    are filled up with ``pad`` to a multiple of ``pad_to_multiple_of``; the model itself must mask those. Unknown bases
    at a window's ends are left out (not for segmentation), the others are the letter N.
    """

    kind: Literal["byte-pair"] = "byte-pair"
    tokenizer: str = Field(min_length=2, repr=False)
    pad: Token
    pad_to_multiple_of: int = Field(default=8, ge=1, le=4096)
    longest: int | None = Field(default=None, gt=0, description="most tokens that the model can read")


class NucleotideInput(_Part):
    """Bases as they are: ``one-hot`` float32 (batch, 4, window) with N all zero, or ``codes`` int64 (batch, window)."""

    kind: Literal["nucleotide"] = "nucleotide"
    layout: Literal["one-hot", "codes"] = "one-hot"


class KmerMethylationInput(_Part):
    """Overlapping k-mer tokens and the methylation of each: two tensors int64 (batch, tokens), in this order.

    Bases are the reference's, around one sequenced read. Tokens are those of `KmerInput` with stride 1. The methylation
    of a token is 0 (unmethylated), 1 (methylated) or 2 (nothing known). What a read says of a CpG stands at the token
    whose middle base, number k // 2, is the CpG's C on the forward strand; prefix and suffix have 2.
    """

    kind: Literal["kmer+methylation"] = "kmer+methylation"
    k: int = Field(ge=1, le=12)
    letters: str = Field(default="ACGT", pattern="^[ACGT]{4}$")
    offset: Token = 0
    unknown: Token
    prefix: tuple[Token, ...] = ()
    suffix: tuple[Token, ...] = ()

    @property
    def kmers(self) -> KmerInput:
        """The tokens alone."""
        return KmerInput(stride=1, **self.model_dump(exclude={"kind"}))


def ragged(spec: _Part) -> bool:
    """Whether windows of the same size make different numbers of tokens."""
    return isinstance(spec, BytePairInput) or (isinstance(spec, KmerInput) and spec.singles is not None)


ModelInput = Annotated[
    SpectrumInput | KmerInput | BytePairInput | NucleotideInput | KmerMethylationInput, Field(discriminator="kind")
]


class Output(_Part):
    """What the logits mean. Model outputs are float32 (batch, outputs), or (batch, window / bin, outputs) per bin."""

    names: tuple[Annotated[str, Field(pattern=_BED_NAME)], ...] = Field(min_length=1)
    activation: Literal["sigmoid", "softmax", "identity"]
    bin: int = Field(ge=1, description="bases per score; per-window tasks: the step")
    pseudocount: float | None = Field(
        default=None, ge=0, description="of outputs that are called: log10(what an assay measures + pseudocount)"
    )
    called: tuple[str, ...] = Field(default=(), description="outputs that become calls; empty: all of them")
    prior: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        default=(), description="of reads: share of each class among the training examples; empty: the same for all"
    )


class Calling(_Part):
    """Defaults of interval calling, in the units of the activated score and in bases."""

    threshold: Score = Field(description="a call holds at least one bin that scores this or more")
    extend: Score = Field(
        description="a call reaches as far as bins score this or more, at most the threshold; of reads: classes of "
        "this share or more are listed with a call"
    )
    gap: int = Field(
        default=0, ge=0, le=_LARGEST_NUMBER, description="intervals at most this many bases apart are one call"
    )
    min_length: int = Field(default=1, ge=1, le=_LARGEST_NUMBER)
    prominence: Score | None = Field(
        default=None,
        description="calls are peaks: from a summit scores fall by this much, on either side, before they rise by it",
    )
    start_output: str | None = Field(
        default=None, description="of a peak: the output that is highest where what is called starts"
    )
    shuffled_rates: tuple[tuple[Score, Annotated[float, Field(ge=0)]], ...] = Field(
        default=(),
        description="of peaks: scores, ascending, and how many peaks of that height or more a megabase of shuffled "
        "sequence has, both strands together",
    )
    annotation: Literal["tandem-repeat"] | None = Field(
        default=None, description="what is said of each call in further columns of the track"
    )
    min_reads: int = Field(default=1, ge=1, description="of reads: a region with fewer is not called")
    min_evidence: float = Field(
        default=2.0, ge=0, le=1000, description="of reads: log10 of how much likelier they are with a called class"
    )


class Track(_Part):
    """How calls look: the BED name (the output's own name where empty), and the scores that become 0 and 1000."""

    name: str = Field(default="", pattern=f"^$|{_BED_NAME}")
    score_range: tuple[Score, Score] = (0.0, 1.0)
    color: str = Field(default="0,0,0", pattern=r"^[0-9]{1,3},[0-9]{1,3},[0-9]{1,3}$")


class Provenance(_Part):
    """Where a model comes from."""

    data: str = ""
    metrics: dict[str, float] = {}
    held_out: str = ""
    licence: str = ""
    code_version: str = ""
    date: str = ""
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    attention: Literal["none", "fused", "unfused"] = Field(
        default="none",
        description="fused: one operator of ONNX Runtime's own; unfused: standard ONNX",
    )
    float_layers: tuple[str, ...] = Field(default=(), description="what a lower precision left in float32")
    scored_window: int | None = Field(
        default=None, gt=0, description="bases of the windows whose scores the bins have, where windows share work"
    )
    versions: dict[str, str] = Field(default={}, description="opset and packages that it was exported with")
    parity: dict[str, float] = {}


class Marker(_Part):
    """A region whose methylation the model has learned: bases [start, end) of a contig, 0-based half-open."""

    chrom: str = Field(pattern=_BED_NAME)
    start: int = Field(ge=0, le=_LARGEST_NUMBER)
    end: int = Field(gt=0, le=_LARGEST_NUMBER)
    target: str = Field(default="", description="the class that the region tells from the others")
    digest: str = Field(
        pattern="^[0-9a-f]{16}$", description="of its letters in upper case: first 16 hex digits of their SHA-256"
    )

    @model_validator(mode="after")
    def _not_empty(self) -> Marker:
        if self.start >= self.end:
            raise ValueError("end: must be after start")
        return self


def sequence_digest(letters: str) -> str:
    """A marker's ``digest`` of the reference's letters there, of either case."""
    return hashlib.sha256(letters.upper().encode()).hexdigest()[:16]


class ModelCard(_Part):
    """A model's card.

    Windows: the model reads ``window`` bases; the middle ``step`` of them get scores and ``context`` bases on either
    side are read only, so window = step + 2 * context. Windows lie on a grid of ``step`` bases from each contig's
    start. A per-bin model whose network is indifferent to what lies beyond a contig may take contigs that fit into one
    window in a shorter one: ``shortest_window`` (window divided by a power of two) says how short.

    Of sequenced reads (``read-classification``) each is a window by itself, with the read in its middle. ``markers``
    are where the model knows what reads mean, in the genome ``assembly``; without them it is wherever reads are.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str
    description: str = ""
    task: Literal["segmentation", "classification", "regression", "read-classification"]
    input: ModelInput
    window: int = Field(gt=0, le=_LARGEST_WINDOW)
    step: int = Field(gt=0, le=_LARGEST_WINDOW)
    context: int = Field(ge=0, le=_LARGEST_WINDOW)
    shortest_window: int | None = Field(default=None, gt=0)
    strand: Literal["both", "forward", "symmetric"] = Field(
        description="both: each strand is scored; forward: only the given one; symmetric: the answer has no strand"
    )
    max_unknown: float = Field(default=0.5, ge=0, le=1, description="windows with a larger share of N are skipped")
    output: Output
    calling: Calling
    track: Track = Track()
    assembly: str = Field(default="", description="the genome that markers are of, as hg38")
    markers: tuple[Marker, ...] = Field(default=(), repr=False)
    provenance: Provenance = Provenance()

    @model_validator(mode="after")
    def _consistent(self) -> ModelCard:
        def require(condition: bool, field: str, problem: str) -> None:
            if not condition:
                raise ValueError(f"{field}: {problem}")

        require(self.window == self.step + 2 * self.context, "window", "must be step + 2 * context")
        require(self.calling.extend <= self.calling.threshold, "calling.extend", "must not exceed calling.threshold")
        low, high = self.track.score_range
        require(high - low >= _SCORE_STEP, "track.score_range", f"must rise by at least {_SCORE_STEP}")
        unknown = set(self.output.called) - set(self.output.names)
        require(not unknown, "output.called", f"{', '.join(sorted(unknown))} is not among output.names")
        require(len(set(self.output.names)) == len(self.output.names), "output.names", "must be distinct")
        if self.calling.annotation is not None:  # calls of several channels overlap, and so would their segments
            alone = len(self.output.called or self.output.names) == 1 and self.strand != "both"
            require(alone, "calling.annotation", "needs one called output, and a strand other than 'both'")
        self._check_peaks(require)
        self._check_reads(require)
        if self.task == "segmentation":
            sizes = self.step % self.output.bin == 0 and self.context % self.output.bin == 0
            require(sizes, "output.bin", "must divide step and context")
        else:
            require(self.output.bin == self.step, "output.bin", f"must be the step for {self.task}")
            require(self.shortest_window is None, "shortest_window", f"is not for {self.task}")
        if self.shortest_window is not None:
            ratio, rest = divmod(self.window, self.shortest_window)
            whole = rest == 0 and ratio & (ratio - 1) == 0
            require(whole, "shortest_window", "must be the window divided by a power of two")
            bins = self.shortest_window % self.output.bin == 0
            require(bins, "shortest_window", "must be a multiple of output.bin")
        if isinstance(self.input, KmerInput) and self.input.singles is not None:
            require(self.input.stride == self.input.k, "input.singles", "are for k-mers side by side: stride must be k")
        if ragged(self.input):
            require(self.shortest_window is None, "shortest_window", "is not for inputs of varying length")
        if isinstance(self.input, SpectrumInput):
            smallest = self.shortest_window or self.window
            require(smallest % 16 == 0, "window", "must be a multiple of 16 bases for a spectrum")
        return self

    def _check_peaks(self, require: Callable[[bool, str, str], None]) -> None:
        calling = self.calling
        if calling.prominence is None:
            alone = calling.start_output is None and not calling.shuffled_rates
            require(alone, "calling.prominence", "is missing: start_output and shuffled_rates are for peaks")
            return
        require(calling.prominence > 0, "calling.prominence", "must be above 0")
        require(calling.gap == 0, "calling.gap", "peaks have none")
        require(calling.annotation is None, "calling.annotation", "is not for peaks")
        start = calling.start_output
        require(start is None or start in self.output.names, "calling.start_output", "is not among output.names")
        heights, rates = [one for one, _ in calling.shuffled_rates], [one for _, one in calling.shuffled_rates]
        ordered = heights == sorted(set(heights)) and rates == sorted(rates, reverse=True)
        require(ordered, "calling.shuffled_rates", "scores must rise and rates must not")

    def _check_reads(self, require: Callable[[bool, str, str], None]) -> None:
        methylation = isinstance(self.input, KmerMethylationInput)
        if self.task != "read-classification":
            require(not methylation, "input.kind", f"'{self.input.kind}' is for the task read-classification")
            require(not self.output.prior, "output.prior", "is for the task read-classification")
            require(not self.markers, "markers", "are for the task read-classification")
            return
        require(methylation, "input.kind", "must be 'kmer+methylation' for read-classification")
        require(self.context == 0, "context", "must be 0 for read-classification")
        require(self.strand == "forward", "strand", "must be 'forward' for read-classification")
        require(self.output.activation == "softmax", "output.activation", "must be softmax for read-classification")
        require(not self.output.called, "output.called", "is not for read-classification")
        plain = self.calling.annotation is None and self.calling.prominence is None
        require(plain, "calling.annotation", "and calling.prominence are not for read-classification")
        share = self.output.prior
        whole = not share or (len(share) == len(self.output.names) and abs(sum(share) - 1) <= 0.001)
        require(whole, "output.prior", "must have a share for each of output.names, 1 in all")
        require(bool(self.assembly) or not self.markers, "assembly", "must name the genome that markers are of")

    def to_json(self) -> str:
        """The text that stands in the metadata of an .onnx under ``genoscan``."""
        return self.model_dump_json()


def parse_card(text: str, source: str) -> ModelCard:
    """The card in ``text``; `GenoscanError` names ``source`` and the field that is wrong."""
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "card"
        message = first["msg"].removeprefix("Value error, ")
        place = message if field == "card" and ": " in message else f"{field}: {message}"
        raise GenoscanError(f"{source}: wrong model card: {place}") from None
