"""What `import genoscan` offers: the same names to programs, which import them on first use, and to type checkers."""

import ast
import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

import genoscan

SOURCE = ast.parse(Path(genoscan.__file__).read_text())


def test_type_checkers_see_the_names_where_programs_find_them():
    (block,) = (one for one in SOURCE.body if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING")
    seen = {name.name: f".{one.module}" for one in block.body for name in one.names}
    assert seen == genoscan._HOMES
    assert sorted(seen) == genoscan.__all__ == sorted(set(genoscan.__all__))
    assert (Path(genoscan.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", genoscan.__all__)
def test_every_name_is_there_and_says_what_it_is(name):
    thing = getattr(genoscan, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing)
    assert name in dir(genoscan)
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        assert inspect.Signature.empty not in [one.annotation for one in signature.parameters.values()]
        assert signature.return_annotation is not inspect.Signature.empty


def test_fields_of_a_call_are_typed():
    hints = get_type_hints(genoscan.Call)
    assert {name: hints[name] for name in ("chrom", "start", "end", "score")} == {
        "chrom": str, "start": int, "end": int, "score": float
    }  # fmt: skip


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'genoscan' has no attribute 'predict'"):
        genoscan.predict  # noqa: B018
