"""Philox against its published answers, and noise that depends on a row's own seed only."""

import numpy as np
import pytest
import torch
from scipy import stats

from guidebench.base.seeds import derive, normal, philox

# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, answer
KNOWN = """\
00000000 00000000 00000000 00000000, 00000000 00000000, 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff, ffffffff ffffffff, 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344, a4093822 299f31d0, d16cfe09 94fdcceb 5001e420 24126ea1
"""


def _words(text: str) -> list[torch.Tensor]:
    return [torch.tensor([int(word, 16)]) for word in text.split()]


@pytest.mark.parametrize("line", KNOWN.splitlines())
def test_philox_known_answers(line: str) -> None:
    counter, key, answer = line.split(", ")
    found = philox(_words(counter), _words(key))
    assert " ".join(f"{int(word):08x}" for word in found) == answer


def test_normal_uses_philox_words_in_order() -> None:
    """By hand in float64; counter (block, step, 0, 0), key (low, high half of the seed)."""
    seed, stream = 0x0123456789ABCDEF, 7
    words = []
    for block in range(3):
        counter = [torch.tensor([c]) for c in (block, stream, 0, 0)]
        words.append([int(w) for w in philox(counter, _words("89abcdef 01234567"))])
    expected = []
    for w0, w1, w2, w3 in words:
        for a, b in ((w0, w1), (w2, w3)):
            radius = np.sqrt(-2 * np.log((a + 1) * 2.0**-32))
            angle = 2 * np.pi * (b + 1) * 2.0**-32
            expected += [radius * np.cos(angle), radius * np.sin(angle)]
    found = normal(torch.tensor([seed]), stream, (12,))[0]
    # float32 uniforms: relative 2^-24 in the angle, up to 2 pi, and in the logarithm's argument
    np.testing.assert_allclose(found.numpy(), expected, atol=5e-6)


def test_normal_is_pinned() -> None:
    found = normal(torch.tensor([1, 2**62 + 5]), 3, (5,))
    expected = [
        [-0.3347111642, -0.2608621120, -1.2795144320, 0.3407320380, -0.2836562395],
        [0.0561041310, -0.5804966092, -0.1422873884, 0.4938662350, 0.8233446479],
    ]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-6, atol=1e-7)


def test_normal_is_standard_normal() -> None:
    values = normal(torch.arange(64), 5, (4096,)).flatten().double().numpy()
    count = len(values)
    assert abs(values.mean()) < 4 / np.sqrt(count)
    assert abs(values.var() - 1) < 4 * np.sqrt(2 / count)
    assert stats.kstest(values, "norm").pvalue > 1e-3


def test_rows_and_streams_are_uncorrelated() -> None:
    first = normal(torch.arange(200), 0, (500,)).double()
    shifted = normal(torch.arange(1, 201), 0, (500,)).double()
    stream = normal(torch.arange(200), 1, (500,)).double()
    # neighbouring elements come from one Box-Muller pair
    pairs = (first[:, 0::2] * first[:, 1::2]).mean()
    for correlation, count in (
        ((first * shifted).mean(), 1e5),
        ((first * stream).mean(), 1e5),
        (pairs, 5e4),
    ):
        assert abs(correlation) < 4 / np.sqrt(count)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 7, 5), (3,), (1,)])
def test_row_depends_on_its_own_seed_only(shape: tuple[int, ...]) -> None:
    seeds = torch.tensor([derive("row", i) for i in range(37)])
    together = normal(seeds, 2, shape)
    assert together.shape == (37, *shape)
    for size in (1, 2, 5, 16, 36):
        parts = torch.cat([normal(part, 2, shape) for part in seeds.split(size)])
        assert torch.equal(parts, together)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normal(seeds[order], 2, shape), together[order])
    assert not torch.equal(normal(seeds, 3, shape), together)
    assert len({row.numpy().tobytes() for row in together}) == 37


def test_a_longer_row_starts_with_the_shorter_one() -> None:
    seeds = torch.arange(9)
    assert torch.equal(normal(seeds, 0, (101,))[:, :30], normal(seeds, 0, (30,)))


def test_both_halves_of_a_seed_count() -> None:
    seeds = torch.tensor([5, 5 + 2**32, 5 + 2**62])
    assert len({row.numpy().tobytes() for row in normal(seeds, 0, (4,))}) == 3


def test_normal_is_finite_at_extreme_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in (0, 2**32 - 1, 2**31):
        monkeypatch.setattr(
            "guidebench.base.seeds.philox",
            lambda counter, key, word=word: [torch.full((2, 3), word)] * 4,
        )
        found = normal(torch.arange(2), 0, (12,))
        assert torch.isfinite(found).all()
        # sqrt(-2 log 2^-32) is the largest radius there is
        assert found.abs().max() < 6.7


def test_derive_is_pinned_and_separates_names() -> None:
    assert derive("a", 1) == 6861350103018950465
    assert derive(0, "weights") == 863023461364182508
    assert derive("default", "mnist", 3) == 8138828186010883878
    assert derive("ab", "c") != derive("a", "bc")
    assert derive("a", 1) == derive("a", "1")
    assert all(0 <= derive("range", i) < 2**63 for i in range(1000))
