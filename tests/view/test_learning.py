"""Figures of training and evaluation: every line, bar and count is the number it is labelled with."""

import numpy as np
import pytest

from magxr.errors import ParameterError
from magxr.models.compare import compare
from magxr.models.curves import precision_recall, roc
from magxr.models.evaluate import Confusion, confusion, wilson
from magxr.models.reliability import reliability
from magxr.view import maps
from magxr.view.judged import comparison_figure, examples_figure
from magxr.view.learning import confusion_figure, learning_figure, reliability_figure, roc_figure


@pytest.fixture
def scored():
    """Labels, the probabilities of two models, blocks."""
    rng = np.random.default_rng(0)
    labels, groups = rng.integers(0, 2, 240), np.repeat(np.arange(12), 20)
    models = {}
    for name, gain in (("good", 2.0), ("poor", 0.7)):
        models[name] = 1 / (1 + np.exp(-gain * (2 * labels - 1) - rng.normal(0, 1, 240)))
    return labels, models, groups


def titled(figure, text):
    return [a for a in figure.axes if a.get_title(loc="left").endswith(text)]


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_learning_curves_side_by_side():
    first = [
        {"accuracy": a, "loss": 1 - a, "val_accuracy": a - 0.1, "val_loss": 1.2 - a} for a in (0.6, 0.7, 0.9)
    ]
    alone = [{"accuracy": 0.5, "loss": 0.7}]
    figure = learning_figure({"one": first, "two": alone})
    figure.canvas.draw()
    accuracy, other = titled(figure, "one")[0], titled(figure, "two")[0]
    assert [line.get_label() for line in accuracy.lines] == ["training", "validation"]
    np.testing.assert_allclose(accuracy.lines[0].get_ydata(), [60, 70, 90])
    np.testing.assert_allclose(accuracy.lines[1].get_ydata(), [50, 60, 80])
    np.testing.assert_array_equal(accuracy.lines[1].get_xdata(), [1, 2, 3])
    assert texts(accuracy) == ["training 90.0 %, validation 80.0 %"]
    assert texts(other) == ["training 50.0 %"]
    assert len(other.lines) == 1
    assert accuracy.get_ylim() == other.get_ylim()
    loss = next(a for a in figure.axes if a.get_ylabel() == "loss")
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [0.6, 0.5, 0.3])


def test_roc_and_precision_with_areas(scored):
    labels, models, _ = scored
    curves = {n: (roc(labels, p), precision_recall(labels, p)) for n, p in models.items()}
    figure = roc_figure(curves)
    figure.canvas.draw()
    for ax, which in zip(figure.axes, (0, 1), strict=True):
        lines = {line.get_label(): line for line in ax.lines}
        for name, pair in curves.items():
            line = lines[f"{name}: {pair[which].area:.3f}"]
            np.testing.assert_array_equal(line.get_xdata(), pair[which].x)
            np.testing.assert_array_equal(line.get_ydata(), pair[which].y)
    nothing = next(line for line in figure.axes[1].lines if line.get_label().startswith("_"))
    assert set(nothing.get_ydata()) == {labels.mean()}


def test_reliability_with_intervals(scored):
    labels, models, _ = scored
    found = {n: reliability(labels, p, bins=6) for n, p in models.items()}
    figure = reliability_figure(found)
    figure.canvas.draw()
    for name, curve in found.items():
        (ax,) = titled(figure, name)
        bars = ax.containers[0]
        np.testing.assert_allclose(bars.lines[0].get_ydata(), curve.share)
        ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
        np.testing.assert_allclose(ends, np.column_stack([curve.low, curve.high]))
        assert texts(ax) == [f"error {100 * curve.error:.1f} %; by chance {100 * curve.by_chance:.1f} %"]


def test_counts_with_shares(scored):
    labels, models, _ = scored
    counts = confusion(labels, models["good"])
    figure = confusion_figure({"good": counts, "empty": Confusion(0, 0, 0, 0)})
    figure.canvas.draw()
    shown = texts(figure.axes[0])
    numbers = [counts.linear_right, counts.linear_wrong, counts.nonlinear_wrong, counts.nonlinear_right]
    assert shown[1::2] == [str(n) for n in numbers]
    of = counts.linear_right + counts.linear_wrong
    low, high = wilson(counts.linear_right, of)
    assert shown[2] == f"{100 * counts.linear_right / of:.1f} %\n{100 * low:.0f} to {100 * high:.0f} %"
    assert shown[0] == f"{100 * counts.accuracy:.1f} % right of 240"
    assert texts(figure.axes[1]) == ["no windows of 0", "0", "0", "0", "0"]


def test_examples_are_in_the_row_of_their_kind():
    rng = np.random.default_rng(1)
    windows = rng.normal(0, 1, (9, 8, 8)) * np.arange(1, 10)[:, None, None]
    windows[2, :3] = np.nan
    labels = [1, 1, 1, 1, 0, 0, 0, 0, 0]
    p = [0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.4, 0.45, 0.1]
    figure = examples_figure(windows, labels, p, each=4)
    figure.canvas.draw()
    rows = np.array(figure.axes).reshape(4, 4)
    drawn = [[a for a in row if a.get_images()] for row in rows]
    assert [len(row) for row in drawn] == [3, 1, 4, 0]
    told = [texts(row[0])[0] for row in rows]
    assert told[0] == "a  Linear, called linear: 3"
    assert told[1] == "b  Linear, called nonlinear: 1"
    assert told[2] == "c  Nonlinear, called nonlinear: 5"
    assert told[3] == "d  Nonlinear, called linear: 0"
    for ax, number in zip(drawn[0], (2, 1, 0), strict=True):  # ascending in probability
        image = ax.get_images()[0]
        np.testing.assert_array_equal(image.get_array(), np.ma.masked_invalid(windows[number]))
        limit = maps.symmetric_limit(windows[number])
        assert image.get_clim() == (-limit, limit)
        assert ax.get_xlabel() == f"{p[number]:.2f}   ±{limit:g} nT"


def test_models_compared(scored):
    labels, models, groups = scored
    found = compare(labels, models | {"same": models["good"]}, groups)
    figure = comparison_figure(found)
    figure.canvas.draw()
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["1  good", "1  same", "3  poor"]
    assert texts(left)[1:] == ["a", "a", "b"]
    bars = [line for line in left.lines if len(line.get_xdata()) == 2]
    for line, score in zip(bars, found.scores, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [100 * score.low, 100 * score.high])
    bars = [line for line in right.lines[1:] if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(bars[1].get_xdata(), [100 * found.low[0, 2], 100 * found.high[0, 2]])
    marks = [line.get_markerfacecolor() for line in right.lines if line.get_marker() == "o"]
    assert marks[0] == "white"  # a tie
    assert marks[1] != "white"


@pytest.mark.parametrize("draw", [learning_figure, roc_figure, reliability_figure, confusion_figure])
def test_nothing_to_draw_is_refused(draw):
    with pytest.raises(ParameterError, match="to draw; give at least one"):
        draw({})


def test_refused():
    with pytest.raises(
        ParameterError, match="the history of 'a' must be epochs, each with accuracy and loss"
    ):
        learning_figure({"a": [{"loss": 1.0}]})
    with pytest.raises(ParameterError, match=r"windows of shape \(1, 4, 4\) for 2 labels"):
        examples_figure(np.zeros((1, 4, 4)), [0, 1], [0.1, 0.9])
    with pytest.raises(ParameterError, match="each=0 must be a whole number"):
        examples_figure(np.zeros((2, 4, 4)), [0, 1], [0.1, 0.9], each=0)
