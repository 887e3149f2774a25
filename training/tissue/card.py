"""The card of a network of reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import ValidationError

from ...scanner.card import Marker, ModelCard, Output, Provenance
from ...scanner.errors import UsageError
from ..recipe import first_problem
from .recipe import TissueRecipe


def tissue_card(
    recipe: TissueRecipe, classes: tuple[str, ...], prior: np.ndarray, markers: tuple[Marker, ...]
) -> ModelCard:
    """The card: classes with their prior, float (classes,), and the markers that the network learned.

    `UsageError` names the field of the recipe that cannot be.
    """
    said, window = recipe.card, recipe.data.window
    if markers and not said.assembly:
        raise UsageError(f"recipe {recipe.name}: card.assembly: say which genome the atlas is of, such as hg38")
    output = {
        "names": classes,
        "activation": "softmax",
        "bin": window,
        "prior": tuple(float(share) for share in prior / prior.sum()),
    }
    try:
        return ModelCard(
            name=recipe.name,
            task="read-classification",
            input=recipe.data.spec,
            window=window,
            step=window,
            context=0,
            strand="forward",
            output=Output.model_validate(output),
            markers=markers,
            **_said(recipe, bool(markers)),
        )
    except ValidationError as error:
        raise UsageError(f"recipe {recipe.name}: {first_problem(error, 'card')}") from None


def _said(recipe: TissueRecipe, marked: bool) -> dict[str, Any]:
    """The card's fields that the recipe's [card] has; an assembly only where there are markers of one."""
    said = recipe.card
    return {
        "version": said.version,
        "description": said.description,
        "max_unknown": said.max_unknown,
        "calling": said.calling,
        "track": said.track,
        "assembly": said.assembly if marked else "",
        "provenance": Provenance(data=said.data, held_out=said.held_out, licence=said.licence),
    }


def with_said(card: ModelCard, recipe: TissueRecipe) -> ModelCard:
    """A trained network's card with what the recipe's [card] says now, which may change after training."""
    return ModelCard.model_validate(card.model_copy(update=_said(recipe, bool(card.markers))).model_dump())
