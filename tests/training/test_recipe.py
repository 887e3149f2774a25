"""Recipes: the bundled one, the way back from text, and errors that name file and field."""

import re

import pytest

from genoscan.scanner.card import parse_card
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.recipe import bundled_recipes, load_recipe, model_card, parse_recipe, recipe_text


def test_bundled_recipe():
    assert "repeats" in bundled_recipes()
    recipe = load_recipe("repeats")
    assert recipe.task == "repeats"
    assert recipe.net.lags >= recipe.data.training.periods[1]
    assert recipe.fit.steps == recipe.fit.epochs * recipe.fit.steps_per_epoch


def test_text_and_back():
    recipe = load_recipe("repeats")
    assert parse_recipe(recipe_text(recipe), "text") == recipe


def test_text_keeps_quotes_and_letters():
    recipe = load_recipe("repeats")
    card = recipe.card.model_copy(update={"description": 'a "quoted" \\ back\nslash, µ and 🧬'})
    changed = recipe.model_copy(update={"card": card, "seed": 7})
    assert parse_recipe(recipe_text(changed), "text") == changed


def test_a_file_is_read_and_a_bundled_name_is_not_shadowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "repeats").write_text(edited("", "seed", "seed = 99"))
    assert load_recipe("repeats").seed == 1
    assert load_recipe(tmp_path / "repeats").seed == 99


def test_card_is_a_model_card():
    recipe = load_recipe("repeats")
    card = model_card(recipe)
    assert parse_card(card.to_json(), "card") == card
    assert card.input.lags == recipe.net.lags
    assert card.window == card.step + 2 * card.context
    assert card.provenance.licence == recipe.card.licence


def edited(section, key, line):
    """The bundled recipe with one line of a section changed, whatever its value is."""
    text = recipe_text(load_recipe("repeats"))
    head, mark, rest = text.partition(f"[{section}]\n") if section else ("", "", text)
    changed, count = re.subn(rf"^{key} = .*$", line, rest, count=1, flags=re.MULTILINE)
    assert count == 1
    return head + mark + changed


@pytest.mark.parametrize(
    ("section", "key", "line", "field"),
    [
        ("", "seed", 'seed = "x"', "seed"),
        ("", "task", 'task = "genes"', "task"),
        ("net", "lags", "lags = 100", "net.lags"),
        ("net", "width", "with = 64", "net.with"),
        ("net", "dilations", "dilations = [0, 1]", "net"),
        ("data", "window", "window = 8190", "data.window"),
        ("data.training", "gap", "gapp = 3000", "data.training.gapp"),
        ("data.training", "periods", "periods = [9, 5]", "data.training"),
        ("fit", "margin", "margin = 400000", "fit.margin"),
        ("fit", "epochs", "epochs = 0", "fit.epochs"),
        ("fit", "learning_rate", "learning_rate = nan", "fit.learning_rate"),
        ("card", "step", "step = 16", "card.window"),
        ("card", "name", 'name = "a name"', "card.name"),
        ("card.calling", "extend", "extend = 1.5", "card.calling.extend"),
        ("card.output", "names", "names = []", "card.output.names"),
    ],
)
def test_errors_name_file_and_field_on_one_line(tmp_path, section, key, line, field):
    path = tmp_path / "mine.toml"
    path.write_text(edited(section, key, line))
    with pytest.raises(GenoscanError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: wrong recipe: {field}: ")
    assert "\n" not in message


def test_a_missing_section_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text(load_recipe("repeats")).replace("[fit]", "[fitting]"))
    with pytest.raises(GenoscanError, match=r"mine\.toml: wrong recipe: fit: "):
        load_recipe(path)


def test_not_toml(tmp_path):
    (tmp_path / "x.toml").write_text("seed = ")
    with pytest.raises(GenoscanError, match=r"x\.toml: not a TOML file"):
        load_recipe(tmp_path / "x.toml")


def test_not_text(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GenoscanError, match=r"x\.toml: cannot be read"):
        load_recipe(tmp_path / "x.toml")


def test_unknown_name_lists_the_bundled():
    with pytest.raises(UsageError, match=r"nothing: no such recipe file.*repeats"):
        load_recipe("nothing")
