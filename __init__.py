"""genoscan: run neural models over whole genomes and write BED tracks."""

from .scanner.compiled import provide_cache_folder

__version__ = "0.1.0"
__all__ = ["Call", "GenoscanError", "ModelCard", "load_model", "predict", "scan", "scan_arrays", "scan_methylation"]

_HOMES = {
    "Call": (".scanner.scan", "Call"),
    "GenoscanError": (".scanner.errors", "GenoscanError"),
    "ModelCard": (".scanner.card", "ModelCard"),
    "load_model": (".scanner.inference.session", "open_model"),
    "predict": (".scanner.predict", "predict"),
    "scan": (".scanner.scan", "scan"),
    "scan_arrays": (".scanner.scan", "scan_arrays"),
    "scan_methylation": (".scanner.tissue_scan", "scan_methylation"),
}

provide_cache_folder()  # before any module that defines compiled functions


def __getattr__(name: str):
    # Imported on first use, so that `genoscan --help` answers at once.
    if name not in _HOMES:
        raise AttributeError(f"module 'genoscan' has no attribute '{name}'")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module, __name__), attribute)
