"""genoscan: run neural models over whole genomes and write BED tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scanner.compiled import provide_cache_folder

if TYPE_CHECKING:  # what type checkers and editors see of the names below
    from .scanner.card import ModelCard
    from .scanner.errors import GenoscanError
    from .scanner.scan import Call, Calls, scan, scan_arrays
    from .scanner.scorer import Scorer, load_model
    from .scanner.tissue_scan import scan_methylation

__version__ = "0.1.0"
__all__ = [
    "Call",
    "Calls",
    "GenoscanError",
    "ModelCard",
    "Scorer",
    "load_model",
    "scan",
    "scan_arrays",
    "scan_methylation",
]

_HOMES = {
    "Call": ".scanner.scan",
    "Calls": ".scanner.scan",
    "GenoscanError": ".scanner.errors",
    "ModelCard": ".scanner.card",
    "Scorer": ".scanner.scorer",
    "load_model": ".scanner.scorer",
    "scan": ".scanner.scan",
    "scan_arrays": ".scanner.scan",
    "scan_methylation": ".scanner.tissue_scan",
}

provide_cache_folder()  # before any module that defines compiled functions


if not TYPE_CHECKING:

    def __getattr__(name: str):
        # Imported on first use, so that `genoscan --help` answers at once.
        if name not in _HOMES:
            raise AttributeError(f"module 'genoscan' has no attribute '{name}'")
        from importlib import import_module

        return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
