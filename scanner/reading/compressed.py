"""Text from gzip and bgzip, as it comes, with what is truncated or corrupt told apart from what is whole."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from ..errors import GenoscanError

GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BGZF_HEADER = 18


class _Stream:
    """Pieces of bytes as a file for `gzip` to read; remembers the last bytes that it gave."""

    def __init__(self, piece: bytes, pieces: Iterator[bytes]):
        self._piece, self._at, self._pieces = piece, 0, pieces
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        if self._at == len(self._piece):
            self._piece, self._at = next(self._pieces, b""), 0
        end = len(self._piece) if size < 0 else min(self._at + size, len(self._piece))
        data = self._piece[self._at : end]
        self._at = end
        self.tail = (self.tail + data)[-len(_BGZF_END) :]
        return data


def decompressed(pieces: Iterator[bytes], source: str) -> Iterator[bytes]:
    """The text of gzip, of bgzip, or of what is neither, of which none is empty; so may no given piece be.

    Raises GenoscanError naming ``source`` where the data are truncated or corrupt.
    """
    head = b""
    while len(head) < _BGZF_HEADER and (piece := next(pieces, b"")):
        head += piece
    if not head.startswith(GZIP):
        if head:
            yield head
        yield from pieces
        return
    blocked = head[3:4] == b"\x04" and head[12:14] == b"BC"
    stream = _Stream(head, pieces)
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as text:
            while chunk := text.read(_CHUNK):
                yield chunk
    except EOFError:
        raise GenoscanError(f"{source}: the gzip data end too early: the file is truncated, get it anew") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise GenoscanError(f"{source}: the gzip data are corrupt ({error}): get the file anew") from None
    if blocked and stream.tail != _BGZF_END:
        raise GenoscanError(f"{source}: the bgzip end marker is missing: the file is truncated, get it anew")
