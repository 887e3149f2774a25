"""The card of a network of reads."""

from __future__ import annotations

import numpy as np
from pydantic import ValidationError

from ...scanner.card import Marker, ModelCard, Output, Provenance, sequence_digest
from ...scanner.errors import UsageError
from ..recipe import first_problem
from .panel import Panel
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
            version=said.version,
            description=said.description,
            task="read-classification",
            input=recipe.data.spec,
            window=window,
            step=window,
            context=0,
            strand="forward",
            max_unknown=said.max_unknown,
            output=Output.model_validate(output),
            calling=said.calling,
            track=said.track,
            assembly=said.assembly if markers else "",
            markers=markers,
            provenance=Provenance(data=said.data, held_out=said.held_out, licence=said.licence),
        )
    except ValidationError as error:
        raise UsageError(f"recipe {recipe.name}: {first_problem(error, 'card')}") from None


def panel_markers(panel: Panel) -> tuple[Marker, ...]:
    """The panel's markers, with digests of their bases."""
    atlas = panel.atlas
    return tuple(
        Marker(
            chrom=atlas.chroms[number],
            start=int(atlas.starts[number]),
            end=int(atlas.ends[number]),
            target=atlas.targets[number],
            digest=sequence_digest(panel.letters(number)),
        )
        for number in range(len(atlas.chroms))
    )
