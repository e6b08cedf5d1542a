"""Setups, or stabilizers, that differ in keys which no claim asks for."""

import json
from collections.abc import Mapping
from typing import Any


def plainest_first(named: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the summary's setups or stabilizers, that with the fewest keys of its own first.

    Then by these keys, the number of scales and the name: never by the order of a config's lines.
    """

    def key(name: str) -> tuple[int, str, int, str]:
        variant = named[name]["variant"]
        text = json.dumps(variant, sort_keys=True)
        return len(variant), text, -len(named[name].get("scales", [])), name

    return sorted(named, key=key)
