"""Known satellites. (A stand-in.)"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ..errors import GenoscanError


class Satellites(NamedTuple):
    names: tuple[str, ...]
    units: tuple[str, ...]

    def digest(self) -> str:
        return hashlib.blake2b(repr(self).encode(), digest_size=16).hexdigest()


def load_satellites(extra: str | None = None) -> Satellites:
    names, units = ["telomere"], ["TTAGGG"]
    if extra is not None:
        try:
            with open(extra, encoding="ascii") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            raise GenoscanError(f"{extra}: cannot be read: {error}") from None
        if not text.startswith(">"):
            raise GenoscanError(f"{extra}: is not FASTA")
        for record in text[1:].split("\n>"):
            header, *lines = record.splitlines()
            names.append(header.split()[0])
            units.append("".join(lines))
    return Satellites(tuple(names), tuple(units))
