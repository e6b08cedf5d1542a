"""What all sections share: strictness, and types with their ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
# a title says a pattern in words, for messages and docs/config.md
PluginName = Annotated[
    str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", title="module:attribute of your own")
]
SamplerName = Literal["ancestral", "euler_maruyama", "ddim", "dpmpp_2m", "heun"]
# more are a slip of the finger, and would take minutes to count
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Options = dict[str, str | int | float | bool | None]


class Model(BaseModel):
    """Base of all config models: unknown keys, wrong types, nan and inf are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
