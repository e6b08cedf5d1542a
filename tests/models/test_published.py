"""A network that somebody else trained gives the same eps here, and is kept as it is."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoints import NETWORK, write_checkpoint
from diffusers import DDPMPipeline, UNet2DModel
from safetensors.torch import load_file, save_file

from guidebench.base.published import at
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models.denoiser import FILES, Denoiser, build, save
from guidebench.models.denoiser_checkpoint import adopt
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import sections

CPU = torch.device("cpu")
BETAS = DDPMLinear(1000).betas.tolist()


def _adopted(folder: Path, here: Path, prediction: str = "eps") -> Denoiser:
    adopt(at(folder), here, BETAS, prediction, 8)
    assert all((here / name).is_file() for name in FILES)
    return Denoiser(here, CPU)


@torch.no_grad()
@pytest.mark.parametrize("weights", ["safetensors", "bin"])
@pytest.mark.parametrize("layout", ["pipeline", "flat", "bare"])
def test_the_same_eps_as_diffusers_own(layout: str, weights: str, tmp_path: Path) -> None:
    """In one memory format to the bit; contiguous, other kernels round otherwise."""
    written = write_checkpoint(tmp_path / "theirs", layout, weights)
    ours = _adopted(tmp_path / "theirs", tmp_path / "ours")
    place = tmp_path / "theirs" / ("unet" if layout == "pipeline" else "")
    theirs = UNet2DModel.from_pretrained(place, use_safetensors=weights == "safetensors").eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    ours.model.double()
    for t in (0, 7, 999):
        expected = theirs.double()(x.double(), t).sample
        torch.testing.assert_close(ours(x.double(), t), expected, rtol=0, atol=1e-12)
        assert torch.equal(written.double()(x.double(), t).sample, expected)
    ours.model.float()
    theirs = theirs.float().to(memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(ours(x, 500), theirs(x, 500).sample, rtol=0, atol=1e-6)


def test_its_config_is_kept_byte_by_byte_and_diffusers_opens_ours(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs")
    ours = _adopted(tmp_path / "theirs", tmp_path / "ours", "v")
    assert ours.prediction == "v"
    kept = [(tmp_path / name / "unet/config.json").read_bytes() for name in ("theirs", "ours")]
    assert kept[0] == kept[1]
    config = DDPMPipeline.from_pretrained(tmp_path / "ours", use_safetensors=True).unet.config
    for key in ("flip_sin_to_cos", "freq_shift", "downsample_padding", "norm_eps"):
        assert config[key] == NETWORK[key]


def test_where_it_lies_is_in_no_file(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write_checkpoint(tmp_path / name / "theirs")
        _adopted(tmp_path / name / "theirs", tmp_path / name / "ours")
    for name in FILES:
        here, there = (tmp_path / side / "ours" / name for side in ("here", "there"))
        assert here.read_bytes() == there.read_bytes(), name


@torch.no_grad()
def test_keys_of_the_first_versions_and_half_precision(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "early", early=True)
    path = tmp_path / "early/unet/diffusion_pytorch_model.safetensors"
    keys = load_file(path)
    assert "mid_block.attentions.0.query.weight" in keys
    ours = _adopted(tmp_path / "early", tmp_path / "a")
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    ours.model.double()
    torch.testing.assert_close(ours(x, 3), model.double()(x, 3).sample, rtol=0, atol=1e-12)
    save_file({key: value.half() for key, value in keys.items()}, path, {"format": "pt"})
    half = _adopted(tmp_path / "early", tmp_path / "b")
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.float32}
    half.model.double()
    expected = model.half().double()(x, 3).sample
    torch.testing.assert_close(half(x, 3), expected, rtol=0, atol=1e-12)


def test_our_own_trained_one_comes_back(tmp_path: Path) -> None:
    options = sections.Denoiser(channels=[8, 16], norm_groups=4, condition_dropout=0.2)
    torch.manual_seed(0)
    save(build(options, 8, 3, 4), tmp_path / "theirs", BETAS, "v")
    files = at(tmp_path / "theirs")
    assert files.scheduler == tmp_path / "theirs/scheduler/scheduler_config.json"
    ours = _adopted(tmp_path / "theirs", tmp_path / "ours", "v")
    assert (ours.conditional, ours.null) == (True, 4)
    saved = [load_file(tmp_path / name / FILES[0]) for name in ("theirs", "ours")]
    assert saved[0].keys() == saved[1].keys()
    assert all(torch.equal(saved[0][key], saved[1][key]) for key in saved[0])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _without(path: Path) -> None:
    keys = load_file(path)
    del keys["conv_in.bias"], keys["conv_out.bias"]
    save_file(keys | {"other.weight": torch.ones(1)}, path, {"format": "pt"})


def _narrow(path: Path) -> None:
    save_file(load_file(path) | {"conv_in.bias": torch.ones(31)}, path, {"format": "pt"})


class _Code:
    def __reduce__(self) -> object:
        return print, ("run by a pickle",)


def _pickled(path: Path) -> None:
    path.unlink()
    path.with_suffix(".bin").write_bytes(pickle.dumps(_Code(), protocol=2))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_torch(path: Path) -> None:
    path.unlink()
    path.with_suffix(".bin").write_bytes(b"no weights")


def _bias(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        keys = load_file(path)
        save_file(keys | {"conv_in.bias": change(keys["conv_in.bias"])}, path, {"format": "pt"})

    return damage


def _with(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda bias: torch.cat((bias[:-1], bias.new_tensor([value])))


DAMAGES = {
    "cut": (_cut, "allowed: a state dict of tensors alone"),
    "empty": (_empty, "allowed: a state dict of tensors alone"),
    "missing and left over": (
        _without,
        r"\(no conv_in.bias and 1 more; left over other.weight\), allowed: the tensors of ",
    ),
    "shape": (_narrow, r"\(conv_in.bias is \[31\], not \[32\]\), allowed: the tensors of "),
    "code": (_pickled, "allowed: a state dict of tensors alone"),
    "no torch file": (_no_torch, "allowed: a state dict of tensors alone"),
    "int8": (
        _bias(lambda bias: bias.to(torch.int8)),
        r"\(conv_in.bias is of type int8\), allowed: finite floating-point numbers$",
    ),
    "NaN": (
        _bias(_with(float("nan"))),
        r"\(conv_in.bias is NaN or infinite in 1 of 32 values as float32\), allowed: finite float",
    ),
    "infinite": (_bias(_with(float("-inf"))), "NaN or infinite in 1 of 32 values"),
    "half": (_bias(lambda bias: _with(float("inf"))(bias.half())), "NaN or infinite in 1 of 32"),
    "too large": (_bias(lambda bias: _with(1e39)(bias.double())), "in 1 of 32 values as float32"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_other_weights_are_one_line(case, tmp_path, capsys) -> None:
    write_checkpoint(tmp_path / "theirs")
    path = tmp_path / "theirs/unet/diffusion_pytorch_model.safetensors"
    damage, said = DAMAGES[case]
    damage(path)
    with pytest.raises(UserError, match=said) as caught:
        adopt(at(tmp_path / "theirs"), tmp_path / "ours", BETAS, "eps", 8)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"checkpoint: found {path.parent}/diffusion_pytorch_model.")
    for words in ("ignore_mismatched_sizes", "TRAIN", "from_pretrained", "trusted"):
        assert words not in line
    assert "run by a pickle" not in capsys.readouterr().out
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    "change", [{"norm_num_groups": 5}, {"act_fn": "tanh"}, {"_class_name": "Other"}]
)
def test_settings_of_no_network_are_one_line(change, tmp_path) -> None:
    write_checkpoint(tmp_path)
    path = tmp_path / "unet/config.json"
    path.write_text(json.dumps(NETWORK | change))
    with pytest.raises(UserError, match=r"allowed: settings of a network") as caught:
        adopt(at(tmp_path), tmp_path / "ours", BETAS, "eps", 8)
    assert str(caught.value).startswith(f"checkpoint: found {path} (")
    assert "\n" not in str(caught.value)


def test_of_two_weights_the_safe_ones(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, weights="bin")
    assert [path.suffix for path in at(tmp_path).weights] == [".bin"]
    write_checkpoint(tmp_path)
    assert sorted(at(tmp_path).named()) == [
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]


def _in_parts(path: Path, count: int) -> list[Path]:
    """As diffusers writes a large file: its tensors in some files, and an index."""
    keys = load_file(path)
    path.unlink()
    paths = [
        path.with_name(f"{path.stem}-{n + 1:05d}-of-{count:05d}.safetensors") for n in range(count)
    ]
    for n, part in enumerate(paths):
        save_file({key: keys[key] for key in sorted(keys)[n::count]}, part, {"format": "pt"})
    names = {key: paths[n % count].name for n, key in enumerate(sorted(keys))}
    path.with_name(f"{path.name}.index.json").write_text(json.dumps({"weight_map": names}))
    return paths


def test_weights_in_parts(tmp_path: Path) -> None:
    """Each of them is known by its content, and missed."""
    written = write_checkpoint(tmp_path / "theirs")
    unet = tmp_path / "theirs/unet"
    paths = _in_parts(unet / "diffusion_pytorch_model.safetensors", 3)
    files = at(tmp_path / "theirs")
    assert files.weights == paths
    assert set(paths) < set(files.named().values())
    ours = _adopted(tmp_path / "theirs", tmp_path / "ours").model.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in written.state_dict().items())
    save_file(load_file(paths[1]) | {"more": torch.ones(1)}, paths[1])
    with pytest.raises(UserError, match=rf"found {unet} \(left over more\), allowed: the tensors"):
        adopt(files, tmp_path / "other", BETAS, "eps", 8)
    paths[0].unlink()
    assert at(tmp_path / "theirs").weights == paths


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_where_there_is_no_other(precision: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "theirs")
    path = tmp_path / "theirs/unet/diffusion_pytorch_model.safetensors"
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[precision]
    keys = {key: value.to(kind) for key, value in load_file(path).items()}
    half = path.with_name(f"{path.stem}.{precision}.safetensors")
    save_file(keys, half, {"format": "pt"})
    assert at(tmp_path / "theirs").weights == [path]
    path.unlink()
    assert at(tmp_path / "theirs").weights == [half]
    ours = _adopted(tmp_path / "theirs", tmp_path / "ours").model.state_dict()
    assert all(torch.equal(ours[key], value.float()) for key, value in keys.items())


def test_of_weights_and_their_average_none_is_taken(tmp_path: Path) -> None:
    """A `.bin` with both: the first was taken silently."""
    write_checkpoint(tmp_path, weights="bin")
    path = tmp_path / "unet/diffusion_pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    torch.save({"state_dict": state, "ema": {"decay": torch.ones(1)}}, path)
    adopt(at(tmp_path), tmp_path / "ours", BETAS, "eps", 8)
    torch.save({"state_dict": state, "ema": state}, path)
    with pytest.raises(UserError, match="left over state_dict"):
        adopt(at(tmp_path), tmp_path / "ours", BETAS, "eps", 8)


def test_outputs_that_are_not_finite_are_one_line(tmp_path: Path) -> None:
    """Of finite weights, whose products are infinite in float32."""
    write_checkpoint(tmp_path / "theirs")
    path = tmp_path / "theirs/unet/diffusion_pytorch_model.safetensors"
    keys = load_file(path)
    save_file(keys | {"conv_out.weight": keys["conv_out.weight"].sign() * 3e38}, path)
    with pytest.raises(UserError) as caught:
        adopt(at(tmp_path / "theirs"), tmp_path / "ours", BETAS, "eps", 8)
    said = "(its outputs are not finite), allowed: weights that give finite numbers"
    assert str(caught.value) == f"checkpoint: found {path} {said}"
    assert not (tmp_path / "ours").exists()


def test_a_pipeline_without_its_scheduler_lacks_one(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / "scheduler/scheduler_config.json").unlink()
    assert at(tmp_path).scheduler == tmp_path / "scheduler/scheduler_config.json"
    assert at(tmp_path / "unet").scheduler is None
