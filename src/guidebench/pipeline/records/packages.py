"""Which installed distribution brings a package."""

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version


@cache
def distribution(package: str) -> str | None:
    """The installed distribution that brings a package; None for the standard library."""
    if package in sys.stdlib_module_names:
        return None
    try:
        version(package)
        return package
    except PackageNotFoundError:
        return next(iter(_distributions().get(package, [])), None)


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())
