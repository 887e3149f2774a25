"""The documents as tests read them: fenced blocks, and the lines of a shell that they tell a reader to type."""

from __future__ import annotations

import re
import shlex
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")]
DOCUMENTS += [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("models/*.md"))]
FENCE = re.compile(r"^```([\w{}-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path) -> list[tuple[str, str]]:
    """Language and body of each fenced block, in order."""
    return FENCE.findall(text_of(path))


def fenced(path: Path, language: str) -> list[str]:
    return [body for kind, body in blocks(path) if kind == language]


def console_lines(path: Path) -> list[str]:
    """What stands behind each `$ `."""
    return [line[2:] for body in fenced(path, "console") for line in body.splitlines() if line.startswith("$ ")]


class Command:
    """A simple command of a shell line: ``words``, ``environment`` set before it, ``output`` if it is redirected."""

    def __init__(self, words: list[str]):
        self.words, self.environment, self.output = [], {}, None
        rest = iter(words)
        for word in rest:
            if word == ">":
                self.output = next(rest)
            elif not self.words and re.match(r"[A-Z_]+=", word):
                name, _, value = word.partition("=")
                self.environment[name] = value
            else:
                self.words.append(word)


def pipeline(line: str) -> list[Command]:
    """The commands of a shell line, each of which reads what the one before it writes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    return [Command(list(group)) for pipe, group in groupby(lexer, lambda word: word == "|") if not pipe]
