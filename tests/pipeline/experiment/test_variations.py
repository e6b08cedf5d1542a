"""One written setup that stands for several, by `vary`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from guidebench import workload
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs import cost_model, slices

BALLS = "sportballs"


@pytest.fixture
def varied(smoke: dict[str, Any], tmp_path: Path) -> Any:
    """(keys of setup clean/raw, keys of sampling) -> the smoke experiment with these."""

    def make(sampling: dict[str, Any] | None = None, **keys: Any) -> Any:
        section = smoke["datasets"][BALLS]
        section["setups"]["clean/raw"] |= {"injection": "score"} | keys
        section["sampling"] |= {"steps": 4} | (sampling or {})
        path = tmp_path / "varied.yaml"
        path.write_text(yaml.safe_dump(smoke))
        return load(str(path))

    return make


def _ways(config: Any) -> dict[str, tuple[str | None, int | None]]:
    setups = config.datasets[BALLS].setups.items()
    return {name: (s.sampler, s.steps) for name, s in setups if name.startswith("clean/raw")}


def test_every_pair_is_a_setup_beside_the_setup_itself(varied) -> None:
    config = varied(vary={"sampler": ["ancestral", "heun"], "steps": [2, 4]})
    assert _ways(config) == {
        "clean/raw": (None, None),
        "clean/raw@ancestral-2": ("ancestral", 2),
        "clean/raw@heun-2": ("heun", 2),
        "clean/raw@heun-4": ("heun", 4),
    }
    setups = config.datasets[BALLS].setups
    plain = setups["clean/raw"].model_dump(exclude={"sampler", "steps"})
    assert plain["vary"] is None
    for name in _ways(config):
        assert setups[name].model_dump(exclude={"sampler", "steps"}) == plain


def test_one_key_alone_names_what_it_changes(varied) -> None:
    assert list(_ways(varied(vary={"sampler": ["ddim"]}))) == ["clean/raw", "clean/raw@ddim"]
    found = _ways(varied(sampler="heun", vary={"steps": [3]}))
    assert found == {"clean/raw": ("heun", None), "clean/raw@3": ("heun", 3)}
    assert list(_ways(varied(vary={}))) == ["clean/raw"]


def test_variations_are_cells_with_their_own_sampler_steps_and_cost(varied) -> None:
    config = varied({"eta": 0.5}, vary={"sampler": ["ddim", "heun"], "steps": [3]})
    block = workload.blocks(config, BALLS)[0]
    found = {
        cell.setup: (
            slices.cell_spec(config, BALLS, cell, block)["sampling"],
            cost_model.evaluations(config, BALLS, block, cell),
        )
        for cell in workload.cells(config, BALLS)
    }
    ways = {name: (one["sampler"], one["steps"]) for name, (one, _) in found.items()}
    assert ways["clean/raw"] == ("ancestral", 4)
    assert ways["clean/raw@ddim-3"] == ("ddim", 3)
    assert ways["clean/raw@heun-3"] == ("heun", 3)
    # the last step takes one
    assert found["clean/raw@heun-3"][1] / found["clean/raw@ddim-3"][1] == (2 * 3 - 1) / 3
    assert {one["eta"] for one, _ in found.values()} == {0.5}  # of sampling, for all that read it


def test_a_setup_that_says_what_sampling_says_is_the_same_work(varied) -> None:
    """Written or not, its cells are the same ones; nor is `vary` part of any."""

    def specs(**keys: Any) -> list[Any]:
        config = varied(**keys)
        block = workload.blocks(config, BALLS)[0]
        cells = [cell for cell in workload.cells(config, BALLS) if cell.setup == "clean/raw"]
        return [slices.cell_spec(config, BALLS, cell, block) for cell in cells]

    plain = specs()
    assert specs(sampler="ancestral") == plain
    assert specs(vary={"steps": [2]}) == plain
    assert specs(sampler="ddim") != plain


def test_the_experiment_of_few_steps(repository: Path, monkeypatch) -> None:
    """The paper's seven setups by four samplers in 10, 20 and 50 steps."""
    monkeypatch.chdir(repository)
    (dataset,) = load("workflow/config/few_steps_small.yaml").datasets.values()
    ways: dict[str, set[tuple[str, int]]] = {}
    for name, setup in dataset.setups.items():
        way = setup.sampler or dataset.sampling.sampler, setup.steps or dataset.sampling.steps
        ways.setdefault(name.partition("@")[0], set()).add(way)
    every = {(s, n) for s in ("ancestral", "ddim", "dpmpp_2m", "heun") for n in (10, 20, 50)}
    assert set(ways) == set(load("workflow/config/sportballs64.yaml").datasets["sportballs"].setups)
    assert all(found == every for found in ways.values())
    # the same push for all samplers: the mean is ancestral's alone
    assert {s.injection for s in dataset.setups.values() if s.guidance != "none"} == {"score"}
