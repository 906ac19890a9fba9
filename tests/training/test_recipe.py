import pytest

from keras_deeplab.presets.recipes import RECIPES
from keras_deeplab.training.recipe import build_optimizer


@pytest.mark.parametrize(("steps", "momentum"), [(5, 0.0), (40, 0.75), (20_000, 0.99)])
def test_averages_span_a_tenth_of_a_short_run(steps: int, momentum: float):
    optimizer = build_optimizer(RECIPES["fine_tune"], steps, 1)
    assert optimizer.ema_momentum == pytest.approx(momentum)


def test_recipes_become_optimizers():
    poly = build_optimizer(RECIPES["v2_vgg16"], 20_000, 1)
    assert poly.momentum == 0.9
    assert poly.weight_decay == 5e-4
    assert float(poly.learning_rate) == pytest.approx(1e-3)
    assert poly.multipliers == {r"classifier.*/bias": 20.0, "classifier": 10.0, "/bias": 2.0}
    assert not poly.use_ema
    step = build_optimizer(RECIPES["v1"], 6_000, 2)
    # Keras counts batches, of which two make a step here.
    rates = [float(step._learning_rate(batch)) for batch in (3_999, 4_000, 8_000)]
    assert rates == pytest.approx([1e-3, 1e-4, 1e-5], rel=1e-5)
