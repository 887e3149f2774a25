"""Digests of genomes, made beside other work: 128-bit BLAKE2b, as hex.

Hashing lets go of Python's lock, so that a thread of its own costs the scan nothing where there is a second core.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ..errors import GenoscanError, Interrupted
from .letters import FileState, changed, open_unchanged, unreadable

_CHUNK = 1 << 20


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


class PassingDigest:
    """The digest of pieces of bytes that pass by, each hashed while the next is made. A context, which ends a thread.

    (Not left to the end of the generator: what is collected as garbage may not wait for threads.)
    """

    def __init__(self) -> None:
        self._digest = _new_digest()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="genoscan-digest")

    def hashed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces."""
        adding = None
        for piece in pieces:
            if adding is not None:
                adding.result()
            adding = self._pool.submit(self._digest.update, piece)
            yield piece

    def hexdigest(self) -> str:
        """Of all pieces that have passed."""
        return self._pool.submit(self._digest.hexdigest).result()

    def __enter__(self) -> PassingDigest:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


class FileDigest:
    """The digest of a file's bytes, made by a thread that never keeps the process from ending."""

    def __init__(self, source: str, file: FileState):
        self._source, self._file = source, file
        self._result: str | Exception = RuntimeError("the digest was given up")
        self._stop, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._run, name="genoscan-digest", daemon=True).start()

    def _run(self) -> None:
        digest = _new_digest()
        try:
            with open_unchanged(self._source, self._file) as file:
                while piece := file.read(_CHUNK):
                    if self._stop.is_set():
                        return
                    digest.update(piece)
                if FileState.of_open(self._file.path, file) != self._file:
                    raise changed(self._source)
            self._result = digest.hexdigest()
        except OSError as error:
            self._result = unreadable(self._source, error)
        except GenoscanError as error:  # raised where the digest is asked for
            self._result = error
        finally:
            self._ended.set()

    def result(self, stop: threading.Event | None = None) -> str:
        """The digest, waited for. Raises GenoscanError if the file cannot be read or is no longer the same,
        Interrupted soon after ``stop`` is set."""
        while not self._ended.wait(0.2 if stop is not None else None):
            if stop.is_set():
                raise Interrupted
        if isinstance(self._result, Exception):
            raise self._result
        return self._result

    def stop(self) -> None:
        """Give up; there will be no result."""
        self._stop.set()
        self._ended.wait(timeout=1)  # a disk that does not answer must not keep the process
