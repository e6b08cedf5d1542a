"""YAML as its version 1.2 reads it, for experiment files and settings."""

import json
import re
from typing import Any

import yaml

from guidebench.pipeline.errors import UserError

TAG = "tag:yaml.org,2002:"
# section 10.3.2 of YAML 1.2.2: `0100` is 100, and `1:30`, `1_000`, `yes` and dates are text
CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)"
        r"|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),  # of 1.1, for anchors that share keys
}


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the scalars of YAML 1.2; duplicate keys are refused, keys are text."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        assert isinstance(node, yaml.MappingNode)
        seen = set()
        for key, _ in node.value:
            scalar = isinstance(key, yaml.ScalarNode)
            if not scalar or key.value in seen:
                problem = f"key {key.value!r} twice" if scalar else "a key that is not text"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
            if key.tag != f"{TAG}merge":
                key.tag = f"{TAG}str"
        return node

    def integer(self, node: yaml.ScalarNode) -> int:
        """`0100` is a hundred; a base is said by 0o and 0x."""
        return int(node.value, {"0o": 8, "0x": 16}.get(node.value[:2], 10))


for name, (pattern, first) in CORE.items():
    starts = [*first, ""] if name == "null" else list(first)
    _Loader.add_implicit_resolver(f"{TAG}{name}", re.compile(f"^(?:{pattern})$"), starts)
_Loader.add_constructor(f"{TAG}int", _Loader.integer)


def parse(text: str, name: str) -> Any:
    """YAML text to JSON values; UserError that names the file and the line."""
    try:
        return json.loads(json.dumps(yaml.load(text, _Loader), default=str))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{name}: line {line}: not valid YAML: {error.problem}") from error
    # an explicit tag whose text does not fit it: `!!bool maybe`
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{name}: not valid YAML: {line}") from error
