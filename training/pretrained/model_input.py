"""How a checkpoint's tokenizer makes tokens of bases, said as a card says it.

The candidates are written down from the vocabulary, and the one that gives the tokenizer's own tokens on trial
sequences is taken: what is exported was compared with the tokenizer, not guessed from names.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...scanner.card import BytePairInput, KmerInput, ModelInput, NucleotideInput
from ...scanner.encoding.byte_pairs import byte_pair_encoder, most_tokens, open_tokenizer
from ...scanner.encoding.kmers import kmer_tokens
from ...scanner.encoding.single_bases import NO_TOKEN, kmer_and_base_tokens
from ...scanner.encoding.single_bases import most_tokens as most_single_tokens
from ...scanner.errors import GenoscanError, UsageError

_LETTERS = np.array(list("ACGTN"))
_LARGEST_K = 8
_TRIALS, _TRIAL_BASES = 6, 150
"""Sequences that a rule must give the tokenizer's own tokens of."""


@dataclass(frozen=True)
class _Candidate:
    """A tokenizer's rule. spec: as the card says it; text: how a sequence is written for the checkpoint's tokenizer."""

    spec: KmerInput | BytePairInput
    text: Callable[[str], str]


def parse_input(text: str) -> ModelInput:
    """`one-hot`, `codes`, or `kmer:K:STRIDE` with `,letters=ATCG,offset=5,unknown=1,prefix=2,suffix=3` behind it.

    Without these a k-mer's token is its rank in the order ACGT, and an unknown one's 4**k. `UsageError` otherwise.
    """
    problem = UsageError(
        f"--input {text}: say one-hot, one-hot:last, codes or kmer:K:STRIDE"
        "[,letters=ACGT][,offset=0][,unknown=N][,prefix=N][,suffix=N]"
    )
    if text in ("one-hot", "one-hot:last", "codes"):
        return NucleotideInput(layout=text.partition(":")[0])
    head, *pairs = text.split(",")
    try:
        kind, k, stride = head.split(":")
        fields: dict[str, Any] = {"k": int(k), "stride": int(stride), "unknown": 4 ** int(k)}
        for pair in pairs:
            name, value = pair.split("=")
            if name not in ("letters", "offset", "unknown", "prefix", "suffix"):
                raise problem
            if name in ("prefix", "suffix"):
                fields[name] = (int(value),)
            else:
                fields[name] = value if name == "letters" else int(value)
        if kind != "kmer" or sorted(fields.get("letters", "ACGT")) != sorted("ACGT"):
            raise problem
        return KmerInput(**fields)
    except ValueError:  # of int(), of unpacking, and pydantic's
        raise problem from None


def input_of_tokenizer(
    tokenizer: Any, source: str, longest: int | None, stride: int | None = None
) -> KmerInput | BytePairInput:
    """The card's input of a transformers tokenizer; `GenoscanError` where none of the scanner's gives the same tokens.

    longest: most tokens that the model can read. stride: of k-mers that the user says are not read at every base.
    """
    sequences = list(_trial_sequences())
    tried = []
    for candidate in _candidates(tokenizer, longest, stride):
        wrong = _first_difference(candidate, tokenizer, sequences, source)
        if wrong is None:
            return candidate.spec
        tried.append(f"{_title(candidate.spec)} ({wrong})")
    reasons = (
        "; ".join(tried) or "its vocabulary has no set of k-mers and it is no tokenizer of the `tokenizers` library"
    )
    raise GenoscanError(
        f"{source}: the tokenizer's tokens cannot be made by the scanner: {reasons}: say --input "
        "kmer:K:STRIDE,letters=ACGT,offset=N,unknown=N,prefix=N,suffix=N"
    )


def _title(spec: KmerInput | BytePairInput) -> str:
    if isinstance(spec, BytePairInput):
        return "as byte pairs"
    return f"as {spec.k}-mers" + (" and single bases" if spec.singles else f" every {spec.stride} bases")


def _trial_sequences() -> Iterator[str]:
    """Bases at random, of several lengths, some with unknown bases inside."""
    generator = np.random.default_rng(1)
    for trial in range(_TRIALS):
        codes = generator.integers(0, 4, _TRIAL_BASES + trial)
        if trial % 2:
            codes[40 : 41 + trial] = codes[90] = 4
        yield "".join(_LETTERS[codes])
    yield "A" * _TRIAL_BASES  # one letter may be one long token, or runs may be cut


def _candidates(tokenizer: Any, longest: int | None, stride: int | None) -> Iterator[_Candidate]:
    """What the tokenizer may do: first with a sequence as it stands, then with k-mers between blanks.

    stride: where it is given, k-mers at this stride are meant.
    """
    vocabulary = tokenizer.get_vocab()
    orders = {k: order for k in range(_LARGEST_K, 0, -1) if (order := _kmer_order(vocabulary, k)) is not None}
    if stride is None:
        yield from (_side_by_side(tokenizer, vocabulary, k, order, longest) for k, order in orders.items() if k > 1)
        if 1 in orders:
            yield _Candidate(_kmers(tokenizer, 1, orders[1], 1, unknown=vocabulary.get("N")), str)
        if getattr(tokenizer, "backend_tokenizer", None) is not None and tokenizer.pad_token_id is not None:
            yield _Candidate(_byte_pairs(tokenizer, longest), str)
    for k, order in orders.items():
        if k > 1 or stride is not None:
            yield _Candidate(_kmers(tokenizer, k, order, stride or 1), _spaced(k, stride or 1))


def _kmers(
    tokenizer: Any, k: int, order: tuple[str, int], stride: int, unknown: int | None = None, **more: Any
) -> KmerInput:
    letters, offset = order
    prefix, suffix = _special_tokens(tokenizer, "A" * k)
    if unknown is None:
        unknown = tokenizer.unk_token_id or 0
    fields = {"letters": letters, "offset": offset, "unknown": unknown, "prefix": prefix, "suffix": suffix}
    return KmerInput(k=k, stride=stride, **fields, **more)


def _side_by_side(
    tokenizer: Any, vocabulary: dict[str, int], k: int, order: tuple[str, int], longest: int | None
) -> _Candidate:
    singles = tuple(vocabulary.get(letter, tokenizer.unk_token_id or 0) for letter in "ACGTN")
    return _Candidate(_kmers(tokenizer, k, order, k, singles=singles, longest=longest), str)


def _byte_pairs(tokenizer: Any, longest: int | None) -> BytePairInput:
    multiple = next(one for one in (8, 4, 2, 1) if longest is None or longest % one == 0)
    text = _plain_json(tokenizer.backend_tokenizer)
    return BytePairInput(tokenizer=text, pad=tokenizer.pad_token_id, pad_to_multiple_of=multiple, longest=longest)


def _plain_json(backend: Any) -> str:
    """The tokenizer without truncation and padding that a training script has left in it."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy.to_str()


def _spaced(k: int, stride: int) -> Callable[[str], str]:
    """k-mers with blanks between them, as DNABERT's scripts write sequences."""
    return lambda sequence: " ".join(sequence[at : at + k] for at in range(0, len(sequence) - k + 1, stride))


def _kmer_order(vocabulary: dict[str, int], k: int) -> tuple[str, int] | None:
    """Letters in the order of the vocabulary's k-mers, and the first k-mer's number; None where there is no such order.

    All 4**k k-mers must be there and count up with the letters as digits, the first base the most significant.
    """
    numbers = {letter: vocabulary.get(letter * k) for letter in "ACGT"}
    if None in numbers.values():
        return None
    letters = "".join(sorted("ACGT", key=lambda letter: numbers[letter]))
    offset = numbers[letters[0]]
    ranks = enumerate(itertools.product(letters, repeat=k))
    if all(vocabulary.get("".join(kmer)) == offset + rank for rank, kmer in ranks):
        return letters, offset
    return None


def _special_tokens(tokenizer: Any, word: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer puts before and behind a sequence."""
    bare, whole = tokenizer(word, add_special_tokens=False)["input_ids"], tokenizer(word)["input_ids"]
    for at in range(len(whole) - len(bare) + 1):
        if whole[at : at + len(bare)] == bare:
            return tuple(whole[:at]), tuple(whole[at + len(bare) :])
    return (), ()


def scanner_tokens(spec: KmerInput | BytePairInput, sequence: str, source: str) -> list[int]:
    """The tokens that the scanner makes of a sequence, its unknown bases all kept, without padding."""
    codes = np.array([["ACGTN".index(letter) for letter in sequence]], dtype=np.uint8)
    if isinstance(spec, BytePairInput):
        tokenizer = open_tokenizer(spec, source)
        out = np.empty(
            (1, most_tokens(codes.shape[1], spec, tokenizer.num_special_tokens_to_add(is_pair=False))), dtype=np.int64
        )
        byte_pair_encoder(tokenizer, spec, source, trim=False)(codes, out)
        found = out[0][out[0] != NO_TOKEN].tolist()
        while found and found[-1] == spec.pad:
            found.pop()
        return found
    if spec.singles is None:
        return kmer_tokens(codes, spec)[0].tolist()
    out = np.empty((1, most_single_tokens(codes.shape[1], spec)), dtype=np.int64)
    kmer_and_base_tokens(codes, spec, out, trim=False)
    return out[0][out[0] != NO_TOKEN].tolist()


def _first_difference(candidate: _Candidate, tokenizer: Any, sequences: list[str], source: str) -> str | None:
    """Where the scanner's tokens are not the tokenizer's; None where they always are."""
    for sequence in sequences:
        expected = tokenizer(candidate.text(sequence))["input_ids"]
        try:
            found = scanner_tokens(candidate.spec, sequence, source)
        except (GenoscanError, ValueError) as error:
            return str(error)
        if "N" not in sequence and isinstance(candidate.spec, BytePairInput):
            bare = tokenizer(sequence, add_special_tokens=False)["input_ids"]
            if 2 * bare.count(tokenizer.unk_token_id) >= len(bare):
                return "most of a sequence is unknown to it"
        if found != expected:
            at = next((i for i, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]), 0)
            return f"token {at}: {found[at : at + 1]} is {expected[at : at + 1]} there"
    return None
