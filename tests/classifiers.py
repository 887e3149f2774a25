"""A tiny window classifier and data set that tests of training and export share."""

from pathlib import Path

from genoscan.training.classifier_recipe import ClassifierRecipe
from genoscan.training.data.repeat_windows import WindowSettings, build_simulated
from genoscan.training.recipe import load_recipe


def tiny_recipe(**fit) -> ClassifierRecipe:
    values = load_recipe("repeats-kmer-bert", ClassifierRecipe).model_dump(mode="json", exclude_none=True)
    values["net"] |= {"k": 3, "width": 24, "layers": 1, "feedforward": 24, "longest": 96}
    values["data"] = {"in_genome": 0.5, "simulated": 4}
    values["fit"] |= {"batch": 8, "epochs": 3, "learning_rate": 3e-3, "warmup": 2} | fit
    values["card"] |= {"window": 64, "step": 16, "context": 24, "max_unknown": 0.7}
    values["card"]["output"]["bin"] = 16
    return ClassifierRecipe.model_validate(values)


def tiny_data(folder: Path, count: int = 120) -> Path:
    build_simulated(folder, count, None, WindowSettings(longest=96, flank=48), lambda _: None)
    return folder
