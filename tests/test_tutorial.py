"""docs/tutorial.md is run from its first block to its last, in one folder, and says what the document shows."""

import contextlib
import io
import itertools
from pathlib import Path

import pytest
from command_lines import run_line
from documents import ROOT, blocks

TUTORIAL = ROOT / "docs" / "tutorial.md"


def alike(shown, said):
    """Whether words are the same; numbers with a decimal point may differ by a hundredth, as processors round."""
    try:
        numbers = [float(word.strip("()[],%")) for word in (shown, said)]
    except ValueError:
        return shown == said
    return abs(numbers[0] - numbers[1]) <= (0.01 * abs(numbers[0]) if "." in shown else 0)


def require_alike(shown, said):
    """That two texts have the same words in the same lines, but for white space."""
    lines = [[line.split() for line in text.strip().splitlines()] for text in (shown, said)]
    assert [len(line) for line in lines[0]] == [len(line) for line in lines[1]], said
    for first, second in zip(*map(itertools.chain.from_iterable, lines), strict=True):
        assert alike(first, second), f"{first} is shown, {second} was said: {said}"


def run_console(body):
    """Run the lines behind each `$ `; what stands below one is what it says."""
    for part in body.removeprefix("$ ").split("\n$ "):
        line, _, shown = part.partition("\n")
        said = "" if line.startswith("pip ") else run_line(line).decode()
        if shown.strip():
            require_alike(shown, said)


def run_python(body, names):
    """Run a block; one that begins with `# NAME.py` is saved under that name instead. What it printed."""
    first = body.partition("\n")[0].removeprefix("# ")
    if first.endswith(".py"):
        Path(first).write_text(body)
        return ""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(body, TUTORIAL.name, "exec"), names)
    return said.getvalue()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:bioframe", "ignore::FutureWarning:bioframe")
def test_the_tutorial_is_true(working_folder, monkeypatch):
    monkeypatch.syspath_prepend(working_folder)
    names, said = {"__name__": "tutorial"}, ""
    for language, body in blocks(TUTORIAL):
        if language == "console":
            run_console(body)
        elif language == "python":
            assert said == "", f"not shown: {said}"
            said = run_python(body, names)
        else:
            require_alike(body, said)
            said = ""
    assert said == ""
    (picture,) = working_folder.glob("*.png")
    assert (ROOT / "docs" / "tutorial.png").read_bytes()[16:24] == picture.read_bytes()[16:24]  # of the same size


@pytest.mark.parametrize(("shown", "said"), [("a 1", "a 2"), ("1.0", "1.02"), ("a b", "a\nb"), ("x", "")])
def test_another_answer_is_noticed(shown, said):
    with pytest.raises(AssertionError):
        require_alike(shown, said)
