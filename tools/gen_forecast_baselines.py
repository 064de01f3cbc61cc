#!/usr/bin/env python3
"""Records how well statsforecast's exponential smoothing does on series made here: tests/golden/forecast/smoothing.json.

usage: gen_forecast_baselines.py [OUT.json]      needs statsforecast; same output every time for the same versions

Of each series: its season, the values to learn from, those that follow, and for each form the sum of squared errors of
one step in the history ("sse"), sMAPE of the forecasts in per cent, and whether the weights are in the bounds that R's
ets has, beta <= alpha and gamma <= 1 - alpha ("bounded"), which statsforecast's optimiser does not hold to. `simple` is
SimpleExponentialSmoothingOptimized, the others are AutoETS of one form; statsforecast's Holt and HoltWinters are those
two that are damped or not, whichever has less AICc.
"""
import json
import os
import sys

import numpy as np
import statsforecast
from statsforecast.models import AutoETS, SimpleExponentialSmoothingOptimized

SERIES, HORIZON = 100, 12


def made(rng):
    """A level that wanders, a slope, a season that may be weak, and noise: all above 0."""
    n, season = int(rng.integers(60, 121)), int(rng.choice([4, 7, 12]))
    t = np.arange(n + HORIZON)
    walk = np.cumsum(rng.normal(size=t.size)) * rng.choice([0, 0.3, 1])
    slope = rng.choice([0, 1]) * rng.normal() * 0.3 * t
    pattern = rng.normal(size=season)
    wave = (pattern - pattern.mean())[t % season] * rng.choice([0, 2, 6])
    x = walk + slope + wave + rng.normal(size=t.size) * rng.choice([0.5, 2])
    x += rng.uniform(20, 60) - min(x.min(), 0)
    return season, [float(f"{v:.4g}") for v in x[:n]], [float(f"{v:.4g}") for v in x[n:]]


def smape(forecast, future):
    future = np.array(future)
    return float(np.mean(200 * np.abs(forecast - future) / (np.abs(forecast) + np.abs(future))))


def row(rng):
    season, history, future = made(rng)
    y = np.array(history)

    def scored(model):
        out = model.forecast(y=y, h=HORIZON, fitted=True)
        errors = (y - out["fitted"])[~np.isnan(out["fitted"])]
        bounded = True
        if isinstance(model, AutoETS):
            alpha, beta, gamma, _ = np.nan_to_num(model.fit(y).model_["par"][:4])
            bounded = bool(beta <= alpha and gamma <= 1 - alpha)
        return {"sse": float(f"{np.sum(errors ** 2):.8g}"), "smape": float(f"{smape(out['mean'], future):.8g}"),
                "bounded": bounded}

    models = {"simple": SimpleExponentialSmoothingOptimized(),
              "holt": AutoETS(1, "AAN", damped=False), "damped": AutoETS(1, "AAN", damped=True),
              "winters": AutoETS(season, "AAA", damped=False), "damped_winters": AutoETS(season, "AAA", damped=True)}
    return {"season": season, "history": history, "future": future,
            "forms": {name: scored(model) for name, model in models.items()}}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/forecast/smoothing.json")
    rng = np.random.default_rng(1)
    rows = [row(rng) for _ in range(SERIES)]
    with open(path, "w", encoding="utf-8") as f:
        body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)  # one series per line
        f.write(f'{{\n"statsforecast": "{statsforecast.__version__}",\n"series": [\n{body}\n]\n}}\n')
    mean = {form: round(float(np.mean([r["forms"][form]["smape"] for r in rows])), 4) for form in rows[0]["forms"]}
    print(f"{path}: {len(rows)} series, sMAPE {mean}", file=sys.stderr)


if __name__ == "__main__":
    main()
