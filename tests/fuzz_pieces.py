"""Finished pieces of an interrupted scan, damaged: whoever resumes gets the right track or one clear line."""

from __future__ import annotations

import json
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import commands
import fuzz_inputs as inputs
from fuzz_commands import invoke, template_files, user_folder
from hypothesis import strategies as st

from genoscan.scanner import workers
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.pieces import Pace
from genoscan.scanner.resume import MANIFEST

FORMATS = ("bed", "bedgraph")
FINISHED = 8


class Damaged(NamedTuple):
    """The files of a folder of finished pieces, of a scan to this format."""

    format: str
    files: tuple[tuple[str, bytes], ...]


def _words(format_: str) -> tuple[str, ...]:
    scan = "scan genome.fa -m model.onnx -o out.bed -t 1 --device cpu --batch-size 1 --tile-size 4 -q --format"
    return (*scan.split(), format_)


@cache
def _interrupted(format_: str) -> tuple[dict[str, bytes], bytes]:
    """The files in the pieces folder of a scan that ended half way, and the track that it was to become."""
    run_piece, ran = workers.run_piece, []

    def fails_later(*arguments):
        ran.append(1)
        if len(ran) > FINISHED:
            raise GenoscanError("interrupted")
        return run_piece(*arguments)

    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in ("genome.fa", "model.onnx"):
            Path(name).write_bytes(template_files()[name])
        # A piece for each tile: by the clock the whole genome would be one.
        with patch.object(Pace, "wanted", lambda *_: 0), patch.object(workers, "run_piece", fails_later):
            failed = commands.invoke(*_words(format_))
        assert f"{FINISHED} finished pieces are kept in out.bed.pieces" in failed.stderr, failed.output
        files = {path.name: path.read_bytes() for path in Path("out.bed.pieces").iterdir()}
        assert commands.invoke(*_words(format_)).exit_code == 0
        return files, Path("out.bed").read_bytes()


@st.composite
def damaged_folders(draw: inputs.Draw) -> Damaged:
    """A file or two with other bytes, with another's bytes, or not there."""
    format_ = draw(st.sampled_from(FORMATS))
    files = dict(_interrupted(format_)[0])
    for _ in range(draw(st.integers(1, 2))):
        names = sorted(files)
        name = draw(st.sampled_from([*names, *[MANIFEST] * 8]))
        how = draw(st.sampled_from(["bytes"] * 6 + ["field"] * 3 * (name == MANIFEST) + ["other", "absent"]))
        if name not in files or how == "absent":
            files.pop(name, None)
        elif how == "bytes":
            files[name] = draw(inputs.spoilt(st.just(files[name]), (1, 1, 2)))
        elif how == "other":
            files[name] = files[draw(st.sampled_from(names))]
        else:
            files[name] = _with_another_field(draw, files[name])
    return Damaged(format_, tuple(files.items()))


def _with_another_field(draw: inputs.Draw, manifest: bytes) -> bytes:
    try:
        fields = json.loads(manifest)
        inputs.change_a_field(draw, fields)
    except (ValueError, TypeError, IndexError, RecursionError):  # spoilt before
        return manifest
    return json.dumps(fields, indent=1).encode()


def check_pieces(folder: Path, damaged: Damaged) -> bool:
    """With --resume the right track or one line that names the folder; without it the right track."""
    track = _interrupted(damaged.format)[1]
    with user_folder(folder, {}) as new_files:
        pieces = Path("out.bed.pieces")
        pieces.mkdir()
        for name, data in damaged.files:
            (pieces / name).write_bytes(data)
        resumed = invoke((*_words(damaged.format), "--resume"))
        if resumed.exit_code:
            assert f"error: {pieces}" in resumed.stderr, resumed.stderr
            assert not Path("out.bed").exists(), "a track of a scan that failed"
            invoke(_words(damaged.format))
        assert Path("out.bed").read_bytes() == track, "another track"
        assert not pieces.exists(), "pieces stay"
        counts = json.loads(Path("out.bed.json").read_text())["counts"]
        assert counts["resumed_bases"] <= counts["bases"], counts
        new_files()
    return resumed.exit_code == 0
