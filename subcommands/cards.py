"""Cards as people read them."""

from __future__ import annotations

import json


def card_text(card) -> str:
    """A `ModelCard` as indented JSON, in which a few words stand for what would fill thousands of lines."""
    shown = card.model_dump(mode="json")
    if "tokenizer" in shown["input"]:
        shown["input"]["tokenizer"] = f"(a tokenizer.json of {len(card.input.tokenizer):,} characters)"
    if card.markers:
        shown["markers"] = f"({len(card.markers):,} regions)"
    return json.dumps(shown, indent=2, ensure_ascii=False)
