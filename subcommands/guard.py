"""How a command ends: what a user can cause becomes one line on stderr and an exit code, not a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps

from ..scanner.errors import ClosedPipe, GenoscanError
from .messages import say
from .signals import Ended, signals_raise

_EXTRAS = {
    "torch": "train",
    "tensorboard": "train",
    "transformers": "train",
    "accelerate": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnx_ir": "export",
    "peft": "train",
    "sklearn": "train",
    "matplotlib": "plot",
    "pybigtools": "formats",
    "pyarrow": "formats",
}
"""Packages that only some commands need, and the extra that brings them."""


def _noted(text: str, error: BaseException) -> str:
    """The text, and what was noted of the error on its way: work that is kept."""
    return "; ".join([text, *getattr(error, "__notes__", [])])


def _drop_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe or a full disk at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def guarded(function: Callable) -> Callable:
    """Run a command so that what a user can cause ends in one line on stderr and an exit code, not in a traceback."""

    @wraps(function)
    def run(*args, **kwargs):
        try:
            with signals_raise():
                return function(*args, **kwargs)
        except GenoscanError as error:
            say(_noted(f"error: {error}", error))
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").split(".")[0])
            if extra is None:
                raise
            say(f"error: this command needs {error.name}: pip install 'genoscan[{extra}]'")
            sys.exit(1)
        except KeyboardInterrupt as error:
            say(_noted("interrupted", error))
            sys.exit(130)
        except Ended as ended:
            say(_noted(f"ended by {signal.Signals(ended.number).name}", ended))
            sys.exit(128 + ended.number)
        except (ClosedPipe, BrokenPipeError):
            _drop_stdout()  # the reader (head, less) has what it wanted
            sys.exit(128 + signal.SIGPIPE)
        except MemoryError as error:
            say(f"error: not enough memory: {error or 'out of memory'}; use a smaller batch, tile or genome")
            sys.exit(1)
        except OSError as error:
            if error.filename is not None:
                say(f"error: {os.fsdecode(error.filename)}: {error.strerror}")
            elif error.errno in (errno.ENOSPC, errno.EDQUOT):
                say(f"error: cannot write: {error.strerror}")
                _drop_stdout()
            else:
                raise
            sys.exit(1)

    return run
