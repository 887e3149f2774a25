"""Finished pieces on disk, so that an interrupted scan goes on where it was: one folder beside the output.

    OUT.pieces/manifest.json      which genome, model and options the pieces belong to
    OUT.pieces/FIRST-LAST.piece   the results of tiles [FIRST, LAST)
    OUT.pieces/lock               held while a process works here
    OUT.pieces/NAME.partial       a track, or what lies beside it, on its way

A piece is written under another name, synced and renamed, so that whatever has its name is whole, also after a reboot.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from .calling.annotations import KINDS
from .calling.intervals import RUN
from .calling.levels import LEVEL
from .calling.peaks import bin_dtype, is_bins
from .calling.repeats import Annotation
from .errors import GenoscanError
from .inference.session import Model, ModelFile
from .locks import Held, hold
from .options import ScanOptions, annotator_of, thresholds_of
from .pieces import PieceResult
from .writing.output import file_errors, write_synced
from .writing.summary import package_versions

MANIFEST = "manifest.json"
LOCK = "lock"
_PIECE_NAME = re.compile(r"(\d{8,})-(\d{8,})\.piece")
_OURS = re.compile(
    rf"{LOCK}|{re.escape(MANIFEST)}|{_PIECE_NAME.pattern}|.*\.partial(\.csi|\.lines|\.bb|\.bw)?", re.DOTALL
)
_DECISIVE = ("genoscan", "onnxruntime", "onnxruntime-gpu")
_CHECK_SUM = 16
_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_DTYPES = {dtype.names: dtype for dtype in (RUN, LEVEL, *(kind.segment for kind in KINDS.values()))}

Identity = dict[str, Any]
"""What decides a scan's results: 'genome' (its digest), 'models' (their digests by name) and 'options'."""


def identity_of(
    digest: str, models: Sequence[Model | ModelFile], options: ScanOptions, regions: Sequence[str]
) -> Identity:
    """The identity of a scan of the genome with this digest."""
    settings: dict[str, Any] = {
        "format": options.format,
        "regions": [_region_identity(text) for text in regions],
        **{name: version for name, version in package_versions().items() if name in _DECISIVE},
    }
    for model in models:
        name = model.card.name
        settings[f"device of {name}"] = model.device
        settings[f"batch size of {name}"] = model.batch_size
        settings[f"thresholds of {name}"] = list(thresholds_of(model.card, options))
        annotator = annotator_of(model.card, options)
        if annotator is not None:
            settings[f"satellites of {name}"] = annotator.satellites.digest()
    return {"genome": digest, "models": {model.card.name: model.sha256 for model in models}, "options": settings}


def _region_identity(text: str) -> str:
    """A region as it was written; a file of regions by what is in it."""
    try:
        with open(text, "rb") as file:
            return f"{text} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except (OSError, ValueError):
        return text


class PieceStore:
    """The finished pieces of one scan. Made by `open_store`; safe to use from several threads.

    tile_size: how the scan was cut when it began, in bases. finished: for each finished piece its first tile and the
    tile after its last.
    """

    def __init__(
        self,
        folder: Path,
        held: Held,
        identity: Callable[[], Identity],
        tile_size: int,
        finished: dict[int, int],
    ):
        self.folder = folder
        self.tile_size = tile_size
        self.finished = finished
        self._identity = identity
        self._writing = threading.Lock()
        self._described = bool(finished)
        self._held = held
        self._open = True

    def commit(self, result: PieceResult) -> None:
        """Put a result on disk: afterwards neither a kill nor a reboot loses it. `OutputError` where that fails."""
        with self._writing, file_errors(self.folder):
            if not self._described:
                fields = {**self._identity(), "tile_size": self.tile_size}
                manifest = {**fields, "check_sum": _sum_of_fields(fields)}
                write_synced(self.folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
                self._described = True
        with file_errors(self.folder):
            write_synced(self._path(result.first, result.last), pack(result))
        self.finished[result.first] = result.last

    def load(self, first: int, last: int) -> PieceResult | None:
        """A finished piece; None if its file is damaged, or that of another."""
        try:
            result = unpack(self._path(first, last).read_bytes())
        except (OSError, ValueError):
            return None
        return result if (result.first, result.last) == (first, last) else None

    def _path(self, first: int, last: int) -> Path:
        return self.folder / f"{first:08d}-{last:08d}.piece"

    def remove(self) -> None:
        """The scan is complete: the folder goes. The manifest goes first, so that a kill leaves nothing half true."""
        with suppress(OSError):
            (self.folder / MANIFEST).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._held.release()
        self.finished, self._open = {}, False

    def close(self) -> int:
        """If the scan is not complete, keep what is finished. Returns how many pieces that is; an empty folder goes."""
        if not self._open:  # the folder may be another process's by now
            return 0
        self._open = False
        kept = len(_pieces_in(self.folder))  # not what is remembered: somebody may have removed the folder
        if not kept:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._held.release()
        return kept


def open_store(
    folder: Path, identity: Callable[[], Identity], tile_size: int, resume: bool, warn: Callable[[str], None]
) -> PieceStore:
    """The store in ``folder``, which is made if it is not there.

    With ``resume``, the pieces of an earlier run are taken up (and its tile size); without, they are discarded.
    ``identity`` may be slow (it reads the genome): it is asked when there is something to compare or to write.

    Raises `GenoscanError` if the earlier run was of another genome or model or had other options, saying which, or if
    another process is at work in the folder, or if there are files in it that are not the scanner's; `OutputError` if
    the folder cannot be made.
    """
    with file_errors(folder):
        folder.mkdir(exist_ok=True)
        held = hold(folder / LOCK)
    if held is None:
        raise GenoscanError(f"{folder}: another genoscan is at work here; wait for it, or name another output")
    try:
        _require_ours(folder)
        finished = _pieces_in(folder)
        if finished and resume:
            manifest = _read_manifest(folder)
            _require_same(folder, manifest, identity())
            tile_size = manifest["tile_size"]
        else:
            if finished:
                warn(
                    f"{folder}: discarding {len(finished):,} finished pieces of an interrupted scan (without --resume)"
                )
            _clear(folder)
            finished = {}
    except BaseException:
        held.release()
        raise
    return PieceStore(folder, held, identity, tile_size, finished)


def discard_store(folder: Path) -> None:
    """Remove what a process that was killed at the very end of a scan has left; nothing if another is at work there."""
    with suppress(OSError):
        if _strangers(folder):  # an error where there is no folder
            return
        held = hold(folder / LOCK)
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            held.release()


def _strangers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not _OURS.fullmatch(path.name))


def _require_ours(folder: Path) -> None:
    """`GenoscanError` if a user's own files would be lost with the folder."""
    with file_errors(folder):
        strangers = _strangers(folder)
    if strangers:
        (folder / LOCK).unlink(missing_ok=True)
        raise GenoscanError(
            f"{folder}: finished pieces would be kept here, but there is a file '{strangers[0]}' that is none of "
            "them; move it away, or name another output"
        )


def _pieces_in(folder: Path) -> dict[int, int]:
    """First tile: tile after the last; of the pieces that a manifest speaks for."""
    if not (folder / MANIFEST).exists():
        return {}
    try:
        names = [_PIECE_NAME.fullmatch(path.name) for path in folder.iterdir()]
    except OSError:
        return {}
    return {int(match[1]): int(match[2]) for match in names if match}


def _clear(folder: Path) -> None:
    with file_errors(folder), suppress(FileNotFoundError):
        (folder / MANIFEST).unlink()
        for path in folder.iterdir():
            if path.name != LOCK:
                path.unlink()


def _read_manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        # With another tile size the pieces would be taken for those of other tiles.
        if manifest.pop("check_sum") == _sum_of_fields(manifest):
            return manifest
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass
    raise GenoscanError(f"{path}: is damaged; delete the folder to start anew")


def _require_same(folder: Path, there: dict, here: Identity) -> None:
    """`GenoscanError` that says which of genome, model and options is not the same."""
    here = json.loads(json.dumps(here))
    problems = []
    if there["genome"] != here["genome"]:
        problems.append(f"the genome differs (digest {there['genome']} then, {here['genome']} now)")
    for name in sorted(there["models"].keys() | here["models"].keys()):
        then, now = (side["models"].get(name, "not there") for side in (there, here))
        if then != now:
            problems.append(f"the model {name} differs (SHA-256 {then[:12]} then, {now[:12]} now)")
    for name in sorted(there["options"].keys() | here["options"].keys()):
        then, now = (side["options"].get(name, "not there") for side in (there, here))
        if then != now:
            problems.append(f"the options differ ({name}: {_shown(then)} then, {_shown(now)} now)")
    if problems:
        raise GenoscanError(
            f"{folder}: cannot resume: {'; '.join(problems)}; "
            "repeat the command as it was, or leave out --resume to start anew"
        )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def pack(result: PieceResult) -> bytes:
    """A result as a check sum of 16 bytes and an .npz: columns of its arrays as differences in their smallest type."""
    numbers = [result.first, result.last, *result.end, result.bases, round(result.seconds * 1e6)]
    arrays = {
        "piece": np.array(numbers, dtype=np.int64),
        "windows": np.array(result.windows, dtype=np.int64),
        "skipped": np.array(result.skipped, dtype=np.int64),
    }
    for number, found in enumerate(result.found):
        arrays |= _steps(f"{number}.found.", found)
    for number, annotation in result.annotations.items():
        arrays |= _steps(f"{number}.segments.", annotation.segments)
        arrays[f"{number}.letters"] = annotation.letters
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    data = packed.getvalue()
    return _check_sum(data) + data


def _steps(prefix: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    steps = {f"{prefix}{field}": np.diff(rows[field].astype(np.int64), prepend=0) for field in rows.dtype.names}
    return {name: values.astype(_smallest_type(values)) for name, values in steps.items()}


def _rows(prefix: str, arrays: np.lib.npyio.NpzFile) -> np.ndarray:
    """What `_steps` was given."""
    fields = tuple(name.removeprefix(prefix) for name in arrays.files if name.startswith(prefix))
    dtype = bin_dtype(len(fields) - len(bin_dtype(0))) if is_bins(fields) else _DTYPES[fields]
    rows = np.empty(len(arrays[f"{prefix}{fields[0]}"]), dtype=dtype)
    for field in fields:
        rows[field] = np.cumsum(arrays[f"{prefix}{field}"], dtype=np.int64)
    return rows


def _check_sum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_SUM).digest()


def _sum_of_fields(fields: dict) -> str:
    return _check_sum(json.dumps(fields, sort_keys=True).encode()).hex()


def _smallest_type(values: np.ndarray) -> type[np.signedinteger]:
    low, high = (values.min(), values.max()) if len(values) else (0, 0)
    return next(one for one in _SIGNED if np.iinfo(one).min <= low and high <= np.iinfo(one).max)


def unpack(data: bytes) -> PieceResult:
    """The result that `pack` was given; ValueError where a bit is not as it was."""
    if _check_sum(data[_CHECK_SUM:]) != data[:_CHECK_SUM]:
        raise ValueError("damaged")
    with np.load(io.BytesIO(data[_CHECK_SUM:]), allow_pickle=False) as arrays:
        first, last, contig, position, bases, microseconds = arrays["piece"].tolist()
        windows, skipped = tuple(arrays["windows"].tolist()), tuple(arrays["skipped"].tolist())
        found = tuple(_rows(f"{number}.found.", arrays) for number in range(len(windows)))
        annotations = {
            number: Annotation(_rows(f"{number}.segments.", arrays), arrays[f"{number}.letters"])
            for number in range(len(windows))
            if f"{number}.letters" in arrays.files
        }
    end, seconds = (contig, position), microseconds / 1e6
    return PieceResult(first, last, end, bases, seconds, found, windows, skipped, kept=True, annotations=annotations)
