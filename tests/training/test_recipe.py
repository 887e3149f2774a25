"""Recipes: the bundled one, the way back from text, and errors that name file and field."""

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


def test_a_file_is_read_and_preferred(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = recipe_text(load_recipe("repeats"))
    (tmp_path / "repeats").write_text(text.replace("seed = 1", "seed = 99"))
    assert load_recipe("repeats").seed == 99
    assert load_recipe(tmp_path / "repeats").seed == 99


def test_card_is_a_model_card():
    recipe = load_recipe("repeats")
    card = model_card(recipe)
    assert parse_card(card.to_json(), "card") == card
    assert card.input.lags == recipe.net.lags
    assert card.window == card.step + 2 * card.context
    assert card.provenance.licence == recipe.card.licence


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("seed = 1", 'seed = "x"', "seed"),
        ("lags = 640", "lags = 100", "net.lags"),
        ("width = 64", "with = 64", "net.with"),
        ("dilations = [1,", "dilations = [0,", "net"),
        ("window = 8192", "window = 8190", "data.window"),
        ("gap = 3000.0", "gapp = 3000", "data.training.gapp"),
        ("periods = [1, 560]", "periods = [9, 5]", "data.training"),
        ("margin = 128", "margin = 4096", "fit.margin"),
        ("epochs = 20", "epochs = 0", "fit.epochs"),
        ("step = 14336", "step = 14000", "card.window"),
        ("extend = 0.3", "extend = 0.6", "card.calling.extend"),
        ("[fit]", "[fitting]", "fit"),
    ],
)
def test_errors_name_file_and_field_on_one_line(tmp_path, old, new, field):
    text = recipe_text(load_recipe("repeats"))
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(GenoscanError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: wrong recipe: {field}: ")
    assert "\n" not in message
    assert "card.card" not in message


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
