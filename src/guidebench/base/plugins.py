"""Methods of the user's own, named `module:attribute` in the config."""

import importlib
import inspect
from typing import Any

from guidebench.pipeline.errors import UserError


def plugin(name: str) -> Any:
    """The object that `module:attribute` names; UserError when there is none."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{name}: {error}; allowed: module:attribute that Python can import"
        ) from error


def call(name: str, /, *handed: Any, **options: Any) -> Any:
    """What `module:attribute` answers to its arguments; UserError when it does not take them."""
    own = plugin(name)
    try:
        inspect.signature(own).bind(*handed, **options)
    except ValueError:
        pass  # a builtin that does not say what it takes
    except TypeError as error:
        words = [f"{len(handed)} positional arguments"] * bool(handed) + list(options)
        raise UserError(f"{name}: {error}; found {', '.join(words)}") from error
    return own(*handed, **options)
