"""What all figures share."""

import io

from guidebench.report.figures import theme


def test_a_log_axis_without_a_value_above_zero_is_linear() -> None:
    drawn, axes = theme.figure()
    axes.plot([0, 0], [1, 2])
    theme.logarithmic(axes, "x", "y")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    drawn.savefig(io.BytesIO())
