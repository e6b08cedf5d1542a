"""CPU seconds per 10,000 SportBalls images: a bank of poses, placed, against a render of each.

Usage: .venv/bin/python benchmarks/sportballs.py [images]
"""

import sys
import time
from types import SimpleNamespace

import numpy as np
import torch

from guidebench.base.choices import SPORT_BALLS
from guidebench.data.balls import SURFACES, matrices
from guidebench.data.sportballs import bank, draw

LIGHT = np.array([-0.40, -0.48, 0.78])
NAIVE = 40
LAW = {
    "scale": (0.5, 0.8),
    "diameters": None,
    "offsets": None,
    "rotation": "3d",
    "paper_compat": [],
}
DEFAULT = SimpleNamespace(size=32, canvas=128, poses=192, **LAW)
# workflow/config/sportballs64.yaml
PAPER = {"scale": None, "diameters": [9, 12, 16, 19, 22, 25], "offsets": [0, 31]}
LARGE = SimpleNamespace(size=64, canvas=256, poses=1, **LAW | PAPER | {"rotation": "in_plane"})


def render(
    name: str, rotation: np.ndarray, centre: np.ndarray, scale: float, size: int, side: int
) -> np.ndarray:
    """One scene [3, size, size] in [0, 255], straight from the sphere: no bank, no resampling.

    rotation: quaternion [4] (w, x, y, z); centre [2] in pixels; scale: diameter over image side;
    side: side of the canvas, whose pixels are wholly ball or wholly white.
    """
    radius = scale * size / 2
    pixel = (np.arange(side) + 0.5) * size / side
    x, y = np.meshgrid((pixel - centre[0]) / radius, (pixel - centre[1]) / radius)
    inside = x**2 + y**2 < 1
    x, y = x[inside], y[inside]
    normals = np.stack([x, y, np.sqrt(1 - x**2 - y**2)], axis=1)
    light = 0.52 + 0.48 * np.clip(normals @ (LIGHT / np.linalg.norm(LIGHT)), 0, None)
    colours = SURFACES[name]((normals @ matrices(rotation[None])[0]).astype(np.float32))
    scene = np.ones((side, side, 3))
    scene[inside] = colours * light[:, None]
    cells = scene.reshape(size, side // size, size, side // size, 3)
    return 255 * cells.mean(axis=(1, 3)).transpose(2, 0, 1)


def main() -> None:
    """Both on one thread in the same run, in CPU seconds: other jobs do not count."""
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for options in (DEFAULT, LARGE):
        started = time.process_time()
        bank(options, 0)
        once = time.process_time() - started
        # the bank apart: placing an image costs the same whatever the number of poses
        few = SimpleNamespace(**{**vars(options), "poses": 1})
        started = time.process_time()
        data = draw(few, count, 0)
        placing = 10_000 * (time.process_time() - started) / count
        started = time.process_time()
        for i in range(NAIVE):
            render(
                SPORT_BALLS[data.labels[i]],
                data.extra["rotation"][i],
                data.extra["centre"][i],
                data.extra["scale"][i],
                options.size,
                options.canvas,
            )
        naive = 10_000 * (time.process_time() - started) / NAIVE
        print(
            f"{options.size}x{options.size}, canvas {options.canvas}, CPU seconds: bank of "
            f"{len(SPORT_BALLS)} x {options.poses} poses once {once:.1f}, then {placing:.1f} per "
            f"10,000 images; each rendered by itself {naive:.1f}; with the bank counted, "
            f"naive / ours is {naive / (placing + once):.1f} at 10,000 images and "
            f"{10 * naive / (10 * placing + once):.1f} at 100,000"
        )
        # one draw has one thread; two data sets are drawn side by side
        both = 2 * 10_000 / placing
        if options is LARGE:
            print(f"| SportBalls images a second at 64x64, on two cores | {both:,.0f} | ≥ 5,000 |")


if __name__ == "__main__":
    main()
