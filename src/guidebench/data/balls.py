"""The surfaces of four sport balls: points on the unit sphere to colours."""

from collections.abc import Callable

import numpy as np

Surface = Callable[[np.ndarray], np.ndarray]
LINE = 0.035


def _colour(*rgb: int) -> np.ndarray:
    return np.array(rgb, dtype=np.float32) / 255


def _paint(
    points: np.ndarray, base: np.ndarray, *layers: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Colours [N, 3]: `base`, overpainted by (mask, colour) layers."""
    colours = np.broadcast_to(base, points.shape).copy()
    for mask, colour in layers:
        colours[mask] = colour
    return colours


def _seam() -> tuple[np.ndarray, np.ndarray]:
    """The seam of a baseball: (points [M, 3] on the sphere, running arc length [M])."""
    t = np.linspace(0, 4 * np.pi, 900, endpoint=False)
    spread = 0.44
    polar = np.pi / 2 - (np.pi / 2 - spread) * np.cos(t)
    azimuth = t / 2 + spread * np.sin(2 * t)
    points = np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1
    )
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    return points.astype(np.float32), np.cumsum(steps).astype(np.float32)


def baseball(points: np.ndarray) -> np.ndarray:
    """Off-white with a red seam and its stitches."""
    seam, length = _seam()
    nearness = points @ seam.T
    nearest = nearness.argmax(axis=1)
    distance = np.arccos(np.clip(nearness.max(axis=1), -1, 1))
    # stitches slant forward as they leave the seam: a chevron
    phase = ((length[nearest] + 0.6 * distance) / 0.16) % 1
    stitches = (distance < 0.14) & (phase < 0.42)
    red = _colour(190, 28, 38)
    return _paint(points, _colour(244, 240, 230), (stitches, red), (distance < 0.05, red))


def basketball(points: np.ndarray) -> np.ndarray:
    """Orange with two great circles and two ovals in black."""
    x, y, z = np.abs(points).T
    ovals = np.abs(np.hypot(x - 1.18, z) - 0.62) < 0.05
    lines = (y < LINE) | (z < LINE) | ovals
    return _paint(points, _colour(236, 112, 28), (lines, _colour(24, 18, 16)))


def volleyball(points: np.ndarray) -> np.ndarray:
    """Six cube faces in white, yellow and blue, each of three panels."""
    axis = np.abs(points).argmax(axis=1)
    rows = np.arange(len(points))
    size = np.abs(points[rows, axis])
    across = np.abs(points[rows, (axis + 1) % 3]) / size
    along = np.abs(points[rows, (axis + 2) % 3]) / size
    lines = (np.abs(across - 0.36) < LINE) | (np.maximum(across, along) > 1 - LINE)
    colours = [_colour(240, 236, 222), _colour(250, 202, 40), _colour(44, 84, 190)]
    faces = [(axis == k, colours[k]) for k in (1, 2)]
    return _paint(points, colours[0], *faces, (lines, _colour(38, 40, 60)))


def soccer_ball(points: np.ndarray) -> np.ndarray:
    """White with twelve black pentagons and the seams between them."""
    golden = (1 + 5**0.5) / 2
    corners = np.array([(0, a, b * golden) for a in (-1, 1) for b in (-1, 1)], dtype=np.float32)
    corners = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    nearness = points @ corners.T
    order = np.argsort(-nearness, axis=1)
    first, second = corners[order[:, 0]], corners[order[:, 1]]
    plane = np.cross(first, second)
    plane /= np.linalg.norm(plane, axis=1, keepdims=True)
    seams = np.abs((points * plane).sum(axis=1)) < 0.03
    black = nearness.max(axis=1) > np.cos(0.38)
    return _paint(
        points, _colour(248, 248, 248), (seams, _colour(90, 90, 90)), (black, _colour(18, 18, 22))
    )


SURFACES: dict[str, Surface] = {
    "baseball": baseball,
    "basketball": basketball,
    "volleyball": volleyball,
    "soccer ball": soccer_ball,
}


def disc(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Visible half of the unit sphere on a side x side grid: (normals [side^2, 3], inside)."""
    centre = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(centre, centre)
    square = x**2 + y**2
    # beyond the rim the surface is continued, so that resampling mixes in no other colour
    z = np.sqrt(np.maximum(1 - square, 0))
    normals = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals, (square < 1).reshape(-1)


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices [N, 3, 3] of unit quaternions [N, 4] (w, x, y, z)."""
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows, dtype=np.float32), -1, 0)


def albedo(surface: Surface, quaternion: np.ndarray, side: int) -> np.ndarray:
    """Unshaded view [3, side, side] in [0, 1] of a ball turned by a quaternion [4]."""
    normals, _ = disc(side)
    # the point of the ball that a rotation brings under this pixel
    points = normals @ matrices(quaternion[None])[0]
    return surface(points).T.reshape(3, side, side)


def shade(side: int) -> np.ndarray:
    """Brightness [side, side] of a matt sphere lit from the upper left, darker towards its rim."""
    normals, _ = disc(side)
    light = np.array([-0.40, -0.48, 0.78], dtype=np.float32)
    diffuse = np.clip(normals @ light, 0, None)
    return (0.52 + 0.48 * diffuse).reshape(side, side)
