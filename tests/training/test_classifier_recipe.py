"""The recipe of a window classifier: the bundled one, the way back from text, and errors that name the field."""

import json
import re

import pytest

from genoscan.scanner.errors import GenoscanError
from genoscan.training.classifier_recipe import ClassifierRecipe, classifier_card
from genoscan.training.recipe import bundled_recipes, load_recipe, parse_recipe, recipe_text

NAME = "repeats-kmer-bert"


def test_bundled_recipe():
    assert NAME in bundled_recipes()
    recipe = load_recipe(NAME, ClassifierRecipe)
    assert parse_recipe(recipe_text(recipe), "text", ClassifierRecipe) == recipe
    card = classifier_card(recipe)
    assert card.task == "classification"
    assert card.input.k == recipe.net.k
    assert card.window == 256
    # The shortest sequence of a data set is scanned even as a contig of its own, filled up with N.
    assert (1 - card.max_unknown) * card.window < 26


def test_a_recipe_of_the_other_kind_is_refused():
    with pytest.raises(GenoscanError, match=r"bundled recipe repeats-kmer-bert: wrong recipe: net\."):
        load_recipe(NAME)
    with pytest.raises(GenoscanError, match=r"bundled recipe repeats: wrong recipe: net\."):
        load_recipe("repeats", ClassifierRecipe)


@pytest.mark.parametrize(
    ("part", "field", "value", "told"),
    [
        ("net", "heads", 3, "net: heads must divide width"),
        ("net", "width", 32, "net: width must be at least 8 * k = 48"),
        ("net", "longest", 4, "net: longest must be at least k"),
        ("net", "longest", 200, "card.window: must be between net.k and net.longest"),
        ("data", "simulated", 3, "data.simulated: "),
        ("fit", "learning_rate", 0, "fit.learning_rate: "),
        ("card", "step", 16, "card.window: "),
        ("card", "task", "segmentation", "card.task: "),
    ],
)
def test_errors_name_the_field(part, field, value, told):
    text = recipe_text(load_recipe(NAME, ClassifierRecipe))
    before, _, after = text.partition(f"[{part}]\n")
    changed = re.sub(rf"^{field} = .*$", f"{field} = {json.dumps(value)}", after, count=1, flags=re.MULTILINE)
    assert changed != after
    text = f"{before}[{part}]\n{changed}"
    with pytest.raises(GenoscanError) as caught:
        parse_recipe(text, "mine.toml", ClassifierRecipe)
    assert str(caught.value).startswith(f"mine.toml: wrong recipe: {told}")
    assert "\n" not in str(caught.value)
