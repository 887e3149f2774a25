"""The recipe of a window classifier: the bundled one, the way back from text, and errors that name the field."""

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
    values = load_recipe(NAME, ClassifierRecipe).model_dump(mode="json", exclude_none=True)
    values[part][field] = value

    class Text(ClassifierRecipe):
        pass

    text = recipe_text(Text.model_construct(**values))
    with pytest.raises(GenoscanError) as caught:
        parse_recipe(text, "mine.toml", ClassifierRecipe)
    assert str(caught.value).startswith(f"mine.toml: wrong recipe: {told}")
    assert "\n" not in str(caught.value)
