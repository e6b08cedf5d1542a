"""SportBalls: balls on white; class, position, rotation and scale independent of each other."""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from guidebench.base.choices import SPORT_BALLS
from guidebench.base.seeds import derive
from guidebench.data.balls import SURFACES, albedo, shade
from guidebench.data.dataset import DataSet

BATCH = 32
# how many values each has in the public nrCG code (docs/compat.md)
VALUES = {"class": 4, "position": 32, "scale": 6, "angle": 360}


def uniform_quaternions(numbers: np.ndarray) -> np.ndarray:
    """Uniform rotations [N, 4] from uniform numbers [N, 3] (Shoemake 1992)."""
    a, b, c = numbers.T
    first, second = np.sqrt(1 - a), np.sqrt(a)
    b, c = 2 * np.pi * b, 2 * np.pi * c
    return np.stack(
        [second * np.cos(c), first * np.sin(b), first * np.cos(b), second * np.sin(c)], axis=1
    )


def turned(quaternions: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Quaternions [N, 4] followed by a turn about the viewing axis by angles [N] (radians)."""
    c, s = np.cos(angles / 2), np.sin(angles / 2)
    w, x, y, z = quaternions.T
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)


def bank(options: Any, seed: int) -> tuple[Tensor, np.ndarray]:
    """Rendered poses: albedo uint8 [classes * poses, 3, S, S] and their quaternions [.., 4]."""
    largest = max(options.diameters) / options.size if options.diameters else options.scale[1]
    side = round(options.canvas * largest)
    poses = options.poses if options.rotation == "3d" else 1
    views, quaternions = [], []
    for name in SPORT_BALLS:
        numbers = np.random.Generator(np.random.Philox(derive(seed, "poses", name)))
        turns = uniform_quaternions(numbers.random((poses, 3)))
        views += [albedo(SURFACES[name], turn, side) for turn in turns]
        quaternions.append(turns)
    images = (np.stack(views) * 255).round().astype(np.uint8)
    return torch.from_numpy(images), np.concatenate(quaternions)


def place(views: Tensor, angles: Tensor, scales: Tensor, centres: Tensor, options: Any) -> Tensor:
    """Scenes [N, 3, size, size] uint8 on white: views [N, 3, S, S] turned, scaled and placed.

    angles [N] radians, scales [N] diameters and centres [N, 2] (x, y) as fractions of the side.
    """
    count, side, size = len(views), options.canvas, options.size
    finer = side // size
    # only a window of the canvas is drawn, whole pixels of the image: the largest ball and its rim
    window = min(size, int(scales.max() * size) + 4)
    corner = (size * (centres - scales[:, None] / 2) - 1).floor().clamp(0, size - window).long()
    pixel = (torch.arange(side) + 0.5) / side
    within = finer * corner[:, :, None] + torch.arange(finer * window)  # [N, 2, window]
    # from the ball's centre, in radii
    x, y = ((pixel[within] - centres[:, :, None]) / (scales[:, None, None] / 2)).unbind(1)
    x, y = torch.broadcast_tensors(x[:, None, :], y[:, :, None])
    cos, sin = torch.cos(angles)[:, None, None], torch.sin(angles)[:, None, None]
    # where a pixel of the turned ball lies on the unturned view
    source = torch.stack((cos * x + sin * y, cos * y - sin * x), dim=-1)
    sample = partial(functional.grid_sample, padding_mode="border", align_corners=False)
    colour = sample(views.float() / 255, source)
    # light comes from the upper left whatever the turn
    light = torch.from_numpy(shade(views.shape[-1])).expand(count, 1, -1, -1)
    colour = colour * sample(light, torch.stack((x, y), dim=-1))
    # a soft rim, one canvas pixel wide
    radius = torch.sqrt(x**2 + y**2)
    cover = ((1 - radius) * (scales[:, None, None] / 2 * side) + 0.5).clamp(0, 1)[:, None]
    scene = cover * colour + (1 - cover)
    drawn = functional.avg_pool2d(scene, finer).mul(255).round().to(torch.uint8)
    images = torch.full((count, 3, size, size), 255, dtype=torch.uint8)
    rows, columns = (corner[:, axis, None] + torch.arange(window) for axis in (1, 0))
    batch = torch.arange(count)[:, None, None]
    images[batch, :, rows[:, :, None], columns[:, None, :]] = drawn.permute(0, 2, 3, 1)
    return images


def diameters(options: Any, numbers: np.ndarray) -> np.ndarray:
    """Diameters [N] as fractions of the side, from uniform numbers [N]."""
    if options.diameters is not None:
        chosen = np.array(options.diameters)[(numbers * len(options.diameters)).astype(np.int64)]
        return chosen / options.size
    low, high = options.scale
    return low + (high - low) * numbers


def one_draw(count: int, seed: int) -> dict[str, np.ndarray]:
    """Uniform numbers in (0, 1) of the public code: [count], of `position` [count, 2].

    Each is the remainder of one and the same draw by how many values it has, only the second
    coordinate of another draw: the class is the position modulo 4.
    """
    generator = np.random.Generator(np.random.Philox(derive(seed, "one_draw")))
    drawn = generator.integers(2**32, size=(count, 2))
    return {
        name: ((drawn if name == "position" else drawn[:, 0]) % values + 0.5) / values
        for name, values in VALUES.items()
    }


def draw(options: Any, count: int, seed: int) -> DataSet:
    """`count` images; extras: position (relative, [0, 1]^2), centre (pixels), scale, rotation."""
    dependent = one_draw(count, seed) if "one_draw" in options.paper_compat else {}

    def numbers(name: str, *shape: int) -> np.ndarray:
        if name in dependent:
            return dependent[name]
        generator = np.random.Generator(np.random.Philox(derive(seed, name)))
        return generator.random((count, *shape))

    labels = (numbers("class") * len(SPORT_BALLS)).astype(np.int64)
    position = numbers("position", 2)
    scale = diameters(options, numbers("scale"))
    turns = numbers("angle")
    if options.offsets is not None:
        low, high = options.offsets
        offset = (low + np.floor(position * (high - low + 1))) / options.size
        position = offset / np.maximum(1 - scale[:, None], 1e-9)
        turns = np.floor(360 * turns) / 360
    angle = 2 * np.pi * turns
    views, quaternions = bank(options, seed)
    poses = len(views) // len(SPORT_BALLS)
    pose = labels * poses + (numbers("pose") * poses).astype(np.int64)
    # the whole ball is inside the picture, wherever it lies
    centre = scale[:, None] / 2 + position * (1 - scale[:, None])
    images = np.empty((count, 3, options.size, options.size), dtype=np.uint8)
    by_size = np.argsort(scale)  # balls of a size share a window
    for start in range(0, count, BATCH):
        batch = by_size[start : start + BATCH]
        turn, width, middle = (torch.from_numpy(v[batch]).float() for v in (angle, scale, centre))
        chosen = views[torch.from_numpy(pose[batch])]
        images[batch] = place(chosen, turn, width, middle, options).numpy()
    extra = {
        "position": position,
        "centre": centre * options.size,
        "scale": scale,
        "rotation": turned(quaternions[pose], angle),
    }
    return DataSet(images, labels, SPORT_BALLS, extra)
