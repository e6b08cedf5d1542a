"""What a checkpoint says of itself is what the experiment says, or one line names both."""

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from checkpoints import CONFIG, NETWORK, SCHEDULER
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

from guidebench.diffusion.schedules import build
from guidebench.models.denoiser import build as network
from guidebench.models.denoiser import save
from guidebench.models.patch_unet import PatchUNet
from guidebench.models.shuffle_unet import ShuffleUNet
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.config import Dataset
from guidebench.pipeline.jobs import agreement, published_keys
from guidebench.pipeline.jobs.published_keys import Scheduler
from guidebench.pipeline.jobs.rates import kept, shape

ALL_STEPS = {"steps": 1000}
RISING = [0.001 + 0.0004 * k for k in range(50)]


def _write(folder: Path, scheduler: dict[str, Any] | None = None, **changes: Any) -> None:
    """The files that are read here; no weights."""
    for name, content in (("unet/config.json", NETWORK | changes), ("scheduler", scheduler)):
        path = folder / (f"{name}/scheduler_config.json" if name == "scheduler" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_text(json.dumps(content))


def _dataset(folder: Path, **changes: Any) -> Dataset:
    values = CONFIG | {
        "data": {"source": "sportballs", "size": 8, "canvas": 8},
        "target": "baseball",
        "denoiser": {"checkpoint": str(folder), "prediction": "eps"},
        "classifiers": {"judge": {}},
        "setups": {"unguided": {}},
    }
    return Dataset.model_validate_json(json.dumps(values | changes))


def _said(folder: Path, channels: int | None = 3, **changes: Any) -> list[str]:
    dataset = _dataset(folder, **changes)
    betas = build(dataset.schedule).discrete_betas().tolist()
    return [
        f"{key}: found {found}, allowed: {allowed}".replace(f"{folder}/", "")
        for key, found, allowed in agreement.mistakes(dataset, channels, betas)
    ]


# a file's schedule, and the experiment's
AGREEING = {
    "celebahq": ({}, {"timesteps": 1000, "rescale": False}),
    "rescaled by 1": ({}, {"timesteps": 1000, "rescale": True}),
    "the paper's": ({"num_train_timesteps": 400}, {"timesteps": 400, "rescale": False}),
    "rescaled": (
        {"num_train_timesteps": 400, "beta_start": 2.5e-4, "beta_end": 0.05},
        {"timesteps": 400},
    ),
    "scaled_linear": (
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
        {
            "name": "ddpm_scaled_linear",
            "timesteps": 1000,
            "beta_start": 0.00085,
            "beta_end": 0.012,
        },
    ),
    "squaredcos_cap_v2": (
        {"beta_schedule": "squaredcos_cap_v2"},
        {"name": "ddpm_cosine", "timesteps": 1000},
    ),
    "trained_betas": (
        {"trained_betas": RISING},
        {"name": "ddpm_betas", "timesteps": 50, "betas": RISING},
    ),
}


@pytest.mark.parametrize("case", AGREEING)
def test_a_schedule_that_is_the_files_is_right(case: str, tmp_path: Path) -> None:
    theirs, ours = AGREEING[case]
    _write(tmp_path, SCHEDULER | theirs)
    assert _said(tmp_path, schedule=ours) == []


FILE = "as scheduler/scheduler_config.json says"


@pytest.mark.parametrize("case", AGREEING)
def test_another_schedule_is_told_the_files(case: str, tmp_path: Path) -> None:
    """In words that can be pasted; the list of betas is in the file."""
    theirs, ours = AGREEING[case]
    _write(tmp_path, SCHEDULER | theirs)
    (line,) = _said(tmp_path, schedule={"timesteps": 400, "beta_end": 0.03})
    found = (
        "schedule: found {name: ddpm_linear, timesteps: 400, beta_start: 0.0001, beta_end: 0.03, "
        "rescale: true}, allowed: {name: "
    )
    assert line.startswith(found)
    assert line.endswith(f"}}, {FILE}")
    told = line.removeprefix(found).removesuffix(f"}}, {FILE}").split(", ")
    assert told[0] == ours.get("name", "ddpm_linear")
    assert told[1] == f"timesteps: {ours['timesteps']}"


def test_the_shortest_line(tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER)
    assert _said(tmp_path, schedule={"name": "ddpm_cosine", "timesteps": 1000}) == [
        "schedule: found {name: ddpm_cosine, timesteps: 1000}, allowed: {name: ddpm_linear, "
        f"timesteps: 1000, beta_start: 0.0001, beta_end: 0.02, rescale: false}}, {FILE}"
    ]


@pytest.mark.parametrize(
    ("theirs", "changes", "line"),
    [
        ({}, {"denoiser": {"prediction": "v"}}, "denoiser.prediction: found v, allowed: eps"),
        ({"prediction_type": "v_prediction"}, {}, "denoiser.prediction: found eps, allowed: v"),
        ({"prediction_type": "sample"}, {}, "denoiser.prediction: found eps, allowed: x0"),
        ({"clip_sample": False}, {}, "sampling.clip: found true, allowed: false"),
        ({}, {"sampling": {"clip": False}}, "sampling.clip: found false, allowed: true"),
        (
            {"variance_type": "fixed_large"},
            {"sampling": ALL_STEPS},
            "sampling.variance: found 0.0, allowed: 1.0",
        ),
        (
            {},
            {"sampling": ALL_STEPS | {"variance": 0.5}},
            "sampling.variance: found 0.5, allowed: 0.0",
        ),
    ],
)
def test_other_words_are_one_line_with_both(theirs, changes, line, tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER | theirs)
    if "denoiser" in changes:
        changes = {"denoiser": changes["denoiser"] | {"checkpoint": str(tmp_path)}}
    assert _said(tmp_path, **changes) == [f"{line}, {FILE}"]


def test_the_same_words_are_right(tmp_path: Path) -> None:
    kinds = {"prediction_type": "v_prediction", "clip_sample": False}
    _write(tmp_path, SCHEDULER | kinds | {"variance_type": "fixed_large"})
    ours = {
        "denoiser": {"checkpoint": str(tmp_path), "prediction": "v"},
        "sampling": ALL_STEPS | {"clip": False, "variance": 1.0},
    }
    assert _said(tmp_path, **ours) == []
    # the file's variance is that of all its steps
    fewer = {"clip": False, "steps": 50, "variance": 0.3}
    assert _said(tmp_path, **ours | {"sampling": fewer}) == []
    # only ancestral sampling has that variance
    ddim = ALL_STEPS | {"clip": False, "sampler": "ddim"}
    assert _said(tmp_path, **ours | {"sampling": ddim}) == []


@pytest.mark.parametrize(
    ("theirs", "found", "allowed"),
    [
        (
            {"beta_schedule": "sigmoid"},
            'beta_schedule "sigmoid"',
            "linear, scaled_linear, squaredcos",
        ),
        ({"prediction_type": "flow"}, 'prediction_type "flow"', "epsilon, v_prediction, sample"),
        ({"thresholding": True}, "thresholding true", "false"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr true", "false"),
        ({"clip_sample_range": 2.0}, "clip_sample_range 2.0", "1.0"),
        ({"variance_type": "learned_range"}, 'variance_type "learned_range"', "fixed_small, "),
        ({"variance_type": "fixed_large_log"}, 'variance_type "fixed_large_log"', "fixed_small, "),
        ({"_class_name": "ScoreSdeVeScheduler"}, '_class_name "ScoreSdeVe', "DDPMScheduler, DDIM"),
    ],
)
def test_a_scheduler_that_is_not_ours_is_one_line(theirs, found, allowed, tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER | theirs)
    (line,) = _said(tmp_path)
    assert line.startswith(f"denoiser.checkpoint: found {found}")
    assert f" in scheduler/scheduler_config.json, allowed: {allowed}" in line


IMAGES, SIDE = "3, as the images have", "the side of data's images (8)"
LEVELS = "2 of them, as many as down_block_types"
NETWORKS: list[tuple[dict[str, Any], str, str]] = [
    ({"in_channels": 1, "out_channels": 1}, "in_channels 1", IMAGES),
    ({"in_channels": 1}, "in_channels 1", IMAGES),
    ({"out_channels": 6}, "out_channels 6", "in_channels (3)"),
    ({"sample_size": 256}, "sample_size 256", SIDE),
    ({"sample_size": [8, 16]}, "sample_size [8, 16]", SIDE),
    ({"num_class_embeds": 10}, "num_class_embeds 10", "null or 5 (data's classes and the null"),
    ({"class_embed_type": "timestep"}, 'class_embed_type "timestep"', "null"),
    ({"time_embedding_type": "fourier"}, 'time_embedding_type "fourier"', "positional, learned"),
    (
        {"_class_name": "UNet2DConditionModel"},
        '_class_name "UNet2DCond',
        "UNet2DModel, PatchUNet, Shuffle",
    ),
    (
        {"_class_name": ["UNet2DModel"]},
        '_class_name ["UNet2DModel"]',
        "UNet2DModel, PatchUNet, ShuffleUNet",
    ),
    ({"up_block_types": ["UpBlock2D"]}, 'up_block_types ["UpBlock2D"]', LEVELS),
    ({"block_out_channels": [32]}, "block_out_channels [32]", LEVELS),
    ({"time_embedding_type": "learned"}, "num_train_timesteps null", "at least the 1000 of"),
]


@pytest.mark.parametrize(("changes", "found", "allowed"), NETWORKS)
def test_a_network_for_other_data_is_one_line(changes, found, allowed, tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER, **changes)
    (line,) = _said(tmp_path)
    assert line.startswith(f"denoiser.checkpoint: found {found}")
    assert f" in unet/config.json, allowed: {allowed}" in line


ON_PATCHES = {"_class_name": "PatchUNet", "patch": 2, "sample_size": 8, "in_channels": 3}
PATCHES: list[tuple[dict[str, Any], str, str]] = [
    ({"patch": 3}, "patch 3", "a divisor of the image side (8)"),
    ({"patch": 16}, "patch 16", "a divisor of the image side (8)"),
    ({"patch": "2"}, 'patch "2"', "integer, at least 1"),
    ({"sample_size": [8, 8]}, "sample_size [8, 8]", "integer, at least 1"),
    ({"sample_size": 4}, "sample_size 4", "the side of data's images (8)"),
    ({"flip_sin_to_cos": False}, "flip_sin_to_cos false", "no such key of a PatchUNet"),
    ({"dropout": 0.5}, "dropout 0.5", "no such key of a PatchUNet"),
    ({"in_channels": 1, "out_channels": 1}, "in_channels 1", "3, as the images have"),
]


@pytest.mark.parametrize(("changes", "found", "allowed"), PATCHES)
def test_a_network_on_patches_is_held_to_its_own_keys(changes, found, allowed, tmp_path) -> None:
    path = tmp_path / "unet/config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(ON_PATCHES))
    assert _said(tmp_path) == []
    path.write_text(json.dumps(ON_PATCHES | changes))
    (line,) = _said(tmp_path)
    assert line.startswith(f"denoiser.checkpoint: found {found} in unet/config.json, allowed: ")
    assert allowed in line


# keys of a network and of a scheduler, values of another type or range, and what is allowed
SIZE = "integer, at least 1 and at most 100000"
SIZES = f"{SIZE} or list of integers, each at least 1 and at most 100000 or null"
SHARE = "number, at least 0 and at most 1"
WRONG: list[tuple[str, Any, str]] = [
    ("in_channels", "3", SIZE),
    ("out_channels", None, SIZE),
    ("out_channels", 3.5, SIZE),
    ("in_channels", True, SIZE),
    ("sample_size", "8", SIZES),
    ("sample_size", [[8]], SIZES),
    ("num_class_embeds", -5, f"{SIZE} or null"),
    ("block_out_channels", 32, "list of integers, each at least 1 and at most 100000"),
    ("block_out_channels", [], "list of integers, each at least 1 and at most 100000"),
    ("down_block_types", "DownBlock2D", "list of names, each DownBlock2D, AttnDownBlock2D, "),
    ("down_block_types", ["DownBlock2D", "No2D"], "list of names, each DownBlock2D, "),
    ("up_block_types", ["CrossAttnUpBlock2D"], "list of names, each UpBlock2D, AttnUpBlock2D, "),
    ("layers_per_block", 0, SIZE),
    ("norm_eps", float("nan"), "number, above 0 and at most 1"),
    ("mid_block_scale_factor", 0, "number, above 0 and at most 1000"),
    ("flip_sin_to_cos", "false", "true or false"),
    ("act_fn", "tanh", "silu, swish, mish, gelu, relu"),
    ("resnet_time_scale_shift", None, "default, scale_shift"),
    ("attention_head_dim", "8", f"{SIZE} or null"),
    ("num_train_timesteps", "100", SIZE),
    ("num_train_timesteps", None, SIZE),
    ("num_train_timesteps", 0, SIZE),
    ("num_train_timesteps", [1000], SIZE),
    ("beta_start", "0.0001", SHARE),
    ("beta_start", -0.1, SHARE),
    ("beta_end", float("nan"), SHARE),
    ("beta_end", 2, SHARE),
    ("trained_betas", 0.1, "list of numbers, each at least 0 and at most 1"),
    ("trained_betas", [], "list of numbers, each at least 0 and at most 1"),
    ("clip_sample", None, "true or false"),
    ("clip_sample", "true", "true or false"),
    ("clip_sample_range", "1.0", "number"),
    ("thresholding", 0, "true or false"),
    ("prediction_type", None, "epsilon, v_prediction, sample"),
    ("prediction_type", ["epsilon"], "epsilon, v_prediction, sample"),
    ("variance_type", ["fixed_small"], "text"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), WRONG)
def test_a_value_of_another_type_is_shown_as_it_stands(key, value, allowed, tmp_path) -> None:
    """Text in its quotes, so that `"16"` is not told that 16 is allowed; and that key alone."""
    of_scheduler = key in Scheduler.model_fields
    if of_scheduler:
        _write(tmp_path, SCHEDULER | {key: value})
    else:
        _write(tmp_path, SCHEDULER, **{key: value})
    (line,) = _said(tmp_path)
    name = "scheduler/scheduler_config.json" if of_scheduler else "unet/config.json"
    named = isinstance(value, list) and key in ("down_block_types", "up_block_types")
    found = f'{key}[{len(value) - 1}] "{value[-1]}"' if named else f"{key} {json.dumps(value)}"
    if value == [[8]]:
        found = "sample_size[0] [8]"
    assert line.startswith(f"denoiser.checkpoint: found {found} in {name}, allowed: {allowed}")


def test_of_a_long_list_the_entry_is_named(tmp_path: Path) -> None:
    """A list itself is cut."""
    _write(tmp_path, SCHEDULER | {"trained_betas": [0.01] * 70 + ["0.01"]})
    (line,) = _said(tmp_path)
    assert line.startswith('denoiser.checkpoint: found trained_betas[70] "0.01" in scheduler/')
    _write(tmp_path, SCHEDULER, sample_size=[16] * 100)
    (line,) = _said(tmp_path)
    assert f"found sample_size {str([16] * 100)[:57]}... in unet/config.json, allowed: " in line


def test_a_key_that_is_left_out_is_diffusers_default(tmp_path: Path) -> None:
    _write(tmp_path, {"_class_name": "DDPMScheduler"}, in_channels=1)
    path = tmp_path / "unet/config.json"
    content = json.loads(path.read_text())
    del content["out_channels"], content["sample_size"]
    path.write_text(json.dumps(content))
    (line,) = _said(tmp_path, channels=1)
    assert line.startswith("denoiser.checkpoint: found out_channels 3 in unet/config.json, allowed")
    assert line.endswith("in_channels (1)")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (published_keys.UNet2DModel, UNet2DModel),
        (published_keys.PatchUNet, PatchUNet),
        (published_keys.ShuffleUNet, ShuffleUNet),
        (Scheduler, DDPMScheduler),
        (Scheduler, DDIMScheduler),
    ],
)
def test_the_defaults_are_those_of_the_class(ours, theirs) -> None:
    parameters = inspect.signature(theirs.__init__).parameters
    for key, field in ours.model_fields.items():
        if key in parameters:
            default = parameters[key].default
            default = list(default) if isinstance(default, tuple) else default
            assert field.default == default, key
    networks = [key for key in parameters if key != "self"] if ours is not Scheduler else []
    assert sorted(networks) == sorted(ours.model_fields if networks else [])


def test_sizes_that_fit_in_any_form(tmp_path: Path) -> None:
    for sides in (8, [8, 8], None):
        _write(tmp_path, SCHEDULER, sample_size=sides)
        assert _said(tmp_path) == []
    _write(tmp_path, SCHEDULER, in_channels=1, out_channels=1)
    assert _said(tmp_path, channels=None) == []  # a user's data, not prepared yet


def test_labels_need_a_network_that_takes_them(tmp_path: Path) -> None:
    setups = {
        "unguided": {},
        "conditional": {"conditional": True},
        "cfg": {"guidance": "cfg", "scales": [1.0]},
    }
    _write(tmp_path, SCHEDULER)
    assert _said(tmp_path, setups=setups) == [
        f"setups.{key}, allowed: none of a network without labels (unet/config.json)"
        for key in ("conditional.conditional: found true", "cfg.guidance: found cfg")
    ]
    _write(tmp_path, SCHEDULER, num_class_embeds=5)
    assert _said(tmp_path, setups=setups) == []


def test_a_network_alone_leaves_the_rest_to_the_config(tmp_path: Path) -> None:
    _write(tmp_path)
    ours = {"checkpoint": str(tmp_path), "prediction": "x0"}
    assert _said(tmp_path, denoiser=ours, schedule={"name": "ddpm_cosine"}) == []


@pytest.mark.parametrize("name", ["unet/config.json", "scheduler/scheduler_config.json"])
@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff"])
def test_a_file_that_is_no_json_is_named(name: str, text: str, tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER)
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    (line,) = _said(tmp_path)
    assert line.startswith(f"denoiser.checkpoint: found {name} (")
    assert line.endswith("allowed: files as diffusers writes them")


@pytest.mark.parametrize(
    "schedule",
    [
        sections.DDPMLinear(timesteps=20),
        sections.DDPMCosine(name="ddpm_cosine", timesteps=20),
        sections.VPSDE(name="vp_sde", timesteps=20),
    ],
)
def test_our_own_trained_one_is_right_with_its_own_schedule(schedule, tmp_path: Path) -> None:
    """`save` writes betas alone, of a continuous process, too."""
    betas = build(schedule).discrete_betas().tolist()
    save(network(sections.Denoiser(channels=[8]), 8, 3, 4), tmp_path, betas, "eps")
    assert _said(tmp_path, schedule=schedule.model_dump()) == []
    (line,) = _said(tmp_path, schedule={"timesteps": 21})
    assert f"{{name: ddpm_betas, timesteps: {len(betas)}, betas: the trained_betas}}" in line


def test_a_job_says_all_of_it_in_one_line(tmp_path: Path) -> None:
    _write(tmp_path, SCHEDULER, sample_size=256)
    dataset = _dataset(tmp_path, schedule={"timesteps": 400})
    betas = build(dataset.schedule).discrete_betas().tolist()
    with pytest.raises(UserError) as caught:
        agreement.check("faces", dataset, 3, betas)
    parts = str(caught.value).split("; ")
    keys = ["denoiser.checkpoint", "schedule"]
    assert [part.partition(": ")[0] for part in parts] == [f"datasets.faces.{key}" for key in keys]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_a_users_own_have_the_checkpoints_channels(channels: int, tmp_path: Path) -> None:
    """Forecasts run its network on images of that shape before the data are there."""
    _write(tmp_path, in_channels=channels, out_channels=channels)
    own = {"source": "mine:data", "classes": ["a", "b"], "size": 8, "train": 8, "validation": 8}
    assert shape(_dataset(tmp_path, data=own, target="a")) == (channels, 8, 8)


@pytest.mark.parametrize("content", ["[]", "{", '{"in_channels": "one"}', "{}", '"text"'])
def test_of_a_file_that_does_not_say_colours_are_assumed(content: str, tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "unet/config.json").write_text(content)
    own = {"source": "mine:data", "classes": ["a", "b"], "size": 8, "train": 8, "validation": 8}
    dataset = _dataset(tmp_path, data=own, target="a")
    assert shape(dataset) == (3, 8, 8)
    assert kept(dataset) > 0
