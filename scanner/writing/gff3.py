"""Calls as GFF3 features.

Format: Sequence Ontology's GFF3 1.26. Positions count from 1 and include the end; the type is a term of the Sequence
Ontology; the score is BED's (0 to 1000); every column after the strand is an attribute. Attributes with a capital are
reserved by the format: ours begin small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..calling.annotations import columns_of
from ..calling.channels import channels_of
from ..card import ModelCard
from .output import Write, open_output
from .target import Target

TERMS = frozenset(
    ["tandem_repeat", "microsatellite", "minisatellite", "satellite_DNA", "telomere", "centromere", "repeat_region",
     "transposable_element", "promoter", "TATA_box", "enhancer", "silencer", "insulator", "terminator", "TSS",
     "TF_binding_site", "binding_site", "CpG_island", "regulatory_region", "origin_of_replication", "splice_site",
     "gene", "exon", "intron", "CDS"]
)  # fmt: skip
"""Terms of the Sequence Ontology that outputs of models are likely to be named by."""
ANYTHING = "sequence_feature"
"""The ontology's root."""
_IN_SEQID = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
_IN_ATTRIBUTE = re.compile(r"[\x00-\x1f\x7f%;=&,]")


@contextmanager
def write_gff3(target: Target) -> Iterator[Write]:
    """A `Writer`. A contig is declared (##sequence-region) before its first feature; IDs count the features."""
    features = _Features(target)
    with open_output(target.path, target.folder, target.stale, preset="gff") as write_bytes:
        write_bytes(b"##gff-version 3\n")
        yield lambda lines: write_bytes("".join(map(features.lines_of, lines.decode().splitlines())).encode())


class _Features:
    """Counts features, and remembers which contig has been declared."""

    def __init__(self, target: Target):
        self._keys = [f"{column.name[:1].lower()}{column.name[1:]}" for column in columns_of(target.card)]
        self._source = escaped_seqid(target.card.name)
        self._usual = usual_type(target.card)
        self._contigs = zip(target.names, target.lengths.tolist(), strict=True)
        self._count, self._chrom, self._seqid = 0, None, ""

    def lines_of(self, line: str) -> str:
        """What a line of BED becomes, with the declaration of its contig if it is the first there."""
        chrom, start, end, name, score, strand, *values = line.split("\t")
        declaration = ""
        if chrom != self._chrom:
            length = next(length for one, length in self._contigs if one == chrom)
            self._chrom, self._seqid = chrom, escaped_seqid(chrom)
            declaration = f"##sequence-region {self._seqid} 1 {length}\n"
        self._count += 1
        kind = name if name in TERMS else self._usual
        said = [("ID", f"{kind}{self._count}"), ("Name", name), *zip(self._keys, values, strict=True)]
        attributes = ";".join(f"{key}={_escaped(_IN_ATTRIBUTE, value)}" for key, value in said if value)
        place = f"{int(start) + 1}\t{end}\t{score}\t{strand}"
        return f"{declaration}{self._seqid}\t{self._source}\t{kind}\t{place}\t.\t{attributes}\n"


def usual_type(card: ModelCard) -> str:
    """The type of calls that are not themselves named by a term: what the model's only output is, where that is one."""
    names = {one.name for one in channels_of(card)}
    return names.pop() if len(names) == 1 and names <= TERMS else ANYTHING


def escaped_seqid(name: str) -> str:
    """A contig's name as the first column has it."""
    return _escaped(_IN_SEQID, name)


def _escaped(pattern: re.Pattern, text: str) -> str:
    return pattern.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)
