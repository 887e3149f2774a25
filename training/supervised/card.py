"""The card of a network that learned from labelled sequences."""

from __future__ import annotations

from pydantic import ValidationError

from ...scanner.card import Calling, ModelCard, ModelInput, Output, Provenance
from ...scanner.errors import UsageError
from ..recipe import first_problem
from .recipe import SequenceRecipe

_QUARTER = 4


def sequence_card(recipe: SequenceRecipe, spec: ModelInput, provenance: Provenance | None = None) -> ModelCard:
    """The card; `UsageError` names the field of the recipe's [card] that cannot be.

    Without ``provenance`` it carries what the recipe itself knows.
    """
    said, task = recipe.card, recipe.task
    window = said.window or recipe.data.window
    step = said.step or default_step(window)
    classes = task.kind == "classification"
    called = said.called or (task.classes[1:] if classes and len(task.classes) == 2 else ())
    calling = said.calling or Calling(threshold=said.threshold, extend=said.threshold)
    known = Provenance(data=said.data, held_out=said.held_out, licence=said.licence)
    output = {"names": task.outputs, "activation": "softmax" if classes else "identity", "bin": step, "called": called}
    try:
        return ModelCard(
            name=recipe.name,
            version=said.version,
            description=said.description,
            task=task.kind,
            input=spec,
            window=window,
            step=step,
            context=(window - step) // 2,
            strand=said.strand,
            max_unknown=said.max_unknown,
            output=Output.model_validate(output),
            calling=calling,
            track=said.track,
            provenance=provenance or known,
        )
    except ValidationError as error:
        raise UsageError(f"recipe {recipe.name}: {first_problem(error, 'card')}") from None


def default_step(window: int) -> int:
    """About a quarter of the window, so that the rest lies evenly on both sides."""
    step = max(1, window // _QUARTER)
    return step + 1 if (window - step) % 2 else step
