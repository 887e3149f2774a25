"""The bundled recipes made small: the same tasks, networks and fields, with sizes that train in a second."""

from __future__ import annotations

import re
from pathlib import Path

SIZES = {
    "batch": 8,
    "epochs": 1,
    "steps_per_epoch": 2,
    "warmup": 2,
    "per_epoch": 64,
    "validation": 32,
    "validation_examples": 4,
    "simulated": 12,
    "members": 1,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "width": 48,
    "layers": 1,
    "heads": 2,
    "feedforward": 32,
    "hidden": 16,
    "embedding": 8,
}


def smaller(recipe: str) -> str:
    """The TOML of a recipe with these sizes where it has others."""
    for name, size in SIZES.items():
        recipe = re.sub(rf"^{name} = [\d.e-]+$", f"{name} = {size}", recipe, flags=re.MULTILINE)
    return recipe


def write_smaller(folder: Path) -> Path:
    """All bundled recipes, smaller, as the package ``folder`` would have them."""
    from genoscan.training.recipe import bundled_recipes, bundled_text

    (folder / "recipes").mkdir(parents=True)
    for name in bundled_recipes():
        (folder / "recipes" / f"{name}.toml").write_text(smaller(bundled_text(name)))
    return folder


def tiny_repeats(**fit_settings):
    """A recipe as `repeats`, of a network that trains in a second and needs no backgrounds."""
    from genoscan.training.recipe import load_recipe

    bundled = load_recipe("repeats")
    net = bundled.net.model_copy(update={"lags": 64, "width": 4, "dilations": (1, 2)})
    training = {"periods": [1, 60], "gap": 200}
    data = {"window": 512, "random_share": 1.0, "orders": [], "validation_examples": 5}
    data |= {"training": training, "validation": training}
    settings = {"batch": 2, "steps_per_epoch": 3, "epochs": 4, "learning_rate": 0.01, "warmup": 2, "margin": 16}
    values = bundled.model_dump(mode="json") | {"net": net.model_dump(), "data": data, "fit": settings | fit_settings}
    return type(bundled).model_validate(values)
