"""What shells complete besides commands, options and their choices: names of files, and of bundled models."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_MODELS = {"NAME_OR_PATH"}
_FILES = {
    "BED", "CHECKPOINT", "DIR", "FASTA", "FILE", "HTML", "LOCI", "NAME_OR_TOML", "ONNX", "OUT", "PICTURE",
    "REGION_OR_BED", "SAMPLE", "TABLE", "TABLE_OR_DIR", "TSV",
}  # fmt: skip
"""What options call their values that are files, or may be."""


class _FileName(click.types.StringParamType):
    """A text, for which a shell offers its files."""

    def shell_complete(self, ctx, param, incomplete):  # noqa: ARG002 (click's)
        return [CompletionItem(incomplete, type="file")]


class _ModelName(_FileName):
    """A text, for which a shell offers the bundled models that begin so, or else its files."""

    def shell_complete(self, ctx, param, incomplete):
        from ..scanner.catalogue import bundled_models

        names = [CompletionItem(name) for name in bundled_models() if name.startswith(incomplete)]
        return names or super().shell_complete(ctx, param, incomplete)


def complete_names(group: click.Group) -> None:
    """Have the texts that a group's commands take completed: all arguments, and the options that name files."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            complete_names(command)
        for param in command.params:
            if param.type is not click.STRING:
                continue
            argument = isinstance(param, click.Argument)
            if param.metavar in _MODELS or (argument and param.name in ("model", "name")):
                param.type = _ModelName()
            elif argument or param.metavar in _FILES:
                param.type = _FileName()
