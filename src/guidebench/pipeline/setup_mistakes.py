"""What the types of a setup cannot see, on a data set as in a world."""

from __future__ import annotations

from collections.abc import Iterator

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.names import Mistake
from guidebench.pipeline.sections import Setup
from guidebench.pipeline.user_code import source_digest

PLUGIN = ("module:attribute that Python can import, also from a file in the folder that "
          "guidebench is started in")  # fmt: skip


def plugin_mistakes(key: str, name: str) -> Iterator[Mistake]:
    """A method of the user's own, `module:attribute`, that is not there."""
    if ":" not in name:
        return
    try:
        source_digest(name)
    except UserError as error:
        yield key, error, PLUGIN


def setup_mistakes(setup: Setup, guides: list[str]) -> Iterator[Mistake]:
    """Keys of one setup that do not fit each other; `guides` are the classifiers that may guide."""
    yield from plugin_mistakes("stabilizer.name", setup.stabilizer.name)
    yield from plugin_mistakes("guidance", setup.guidance)
    scales, own = setup.scales, ":" in setup.guidance
    if setup.options and not own:
        yield "options", list(setup.options), "none, unless guidance is module:attribute"
    if setup.interval[0] > setup.interval[1]:
        yield "interval", list(setup.interval), "low <= high"
    if setup.guidance in ("none", "cfg"):
        if setup.classifier is not None:
            yield "classifier", setup.classifier, "nothing, unless guidance is classifier"
    elif setup.classifier not in guides and not (own and setup.classifier is None):
        known = ", ".join(guides) or "there is none"
        allowed = f"a defined classifier that is not the judge ({known})"
        yield "classifier", setup.classifier or "nothing", allowed
    if setup.guidance == "none":
        if scales:
            yield "scales", scales, "none without guidance"
    elif not scales:
        yield "scales", "none", "at least one in a guided setup"
    if len({f"{scale:g}" for scale in scales}) < len(scales):
        yield "scales", scales, "each scale once (six digits count)"
