#!/usr/bin/env python3
"""Records what other libraries say about forecasts made here: tests/golden/metrics/forecasts.json.

usage: gen_forecast_metrics.py [OUT.json]      same output every time for the same versions
needs utilsforecast, gluonts, scikit-learn, scoringrules, properscoring

Scores have the names and the units (per cent) of lookback/metrics/forecast.h. null stands for a missing value and for
a score that a library has no finite number for.
"""
import json
import os
import sys
import warnings
from importlib import metadata

import numpy as np
import pandas as pd
import properscoring
import scoringrules
from gluonts.evaluation import Evaluator
from gluonts.model.forecast import QuantileForecast
from sklearn import metrics as sk
from utilsforecast import losses as uf

warnings.filterwarnings("ignore")
LIBRARIES = ["utilsforecast", "gluonts", "scikit-learn", "scoringrules", "properscoring"]
LEVELS = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]
RESAMPLES, SEED = 200, 7


def drawn(seed, series=3, origins=2, horizon=4, season=1, samples=11, length=30, change=lambda past, y, paths: None,
          decimals=3, levels=LEVELS):
    """Windows of seasonal random walks; the forecasts are the quantiles of noisy paths."""
    rng = np.random.default_rng(seed)
    out = []
    for s in range(series):
        t = np.arange(length + origins * horizon)
        x = 20 + 5 * s + 4 * np.sin(2 * np.pi * t / max(season, 5)) + np.cumsum(rng.normal(size=len(t)))
        for o in range(origins):
            origin = length + o * horizon
            past, y = x[:origin].copy(), x[origin:origin + horizon].copy()
            paths = y + rng.normal() + rng.normal(size=(samples, horizon)) * 2
            past, y, paths = [np.round(a, decimals) for a in (past, y, paths)]
            change(past, y, paths)
            quantiles = np.round(np.quantile(paths, levels, axis=0), decimals)
            out.append({"series": s, "actual": y, "point": quantiles[levels.index(0.5)].copy(), "quantiles": quantiles,
                        "samples": paths, "history": past})
    return out


def intervals(levels):
    """(p, lower, upper) of every central interval, p in per cent."""
    return [(round(100 * (b - a)), i, j) for i, a in enumerate(levels) for j, b in enumerate(levels)
            if i < j and abs(a + b - 1) < 1e-9]


def rows(windows, levels, key):
    """The long table of utilsforecast; key(window number, window, step) is its unique_id."""
    out = []
    for n, w in enumerate(windows):
        for h, y in enumerate(w["actual"]):
            row = {"unique_id": key(n, w, h), "ds": len(w["history"]) + h, "y": y, "m": w["point"][h]}
            for k, q in enumerate(levels):
                row[f"m-q-{q}"] = w["quantiles"][k][h]
            for p, i, j in intervals(levels):
                row[f"m-lo-{p}"], row[f"m-hi-{p}"] = w["quantiles"][i][h], w["quantiles"][j][h]
            out.append(row)
    return pd.DataFrame(out)


def frame_scores(df, levels):
    """unique_id -> scores that utilsforecast has of its rows."""
    known = df.dropna(subset=["y"])  # where it would count missing values
    columns = [f"m-q-{q}" for q in levels]
    parts = {"mae": uf.mae(df, ["m"]), "mse": uf.mse(df, ["m"]), "rmse": uf.rmse(df, ["m"]),
             "mape": uf.mape(df, ["m"]), "smape": uf.smape(df, ["m"])}
    factor = {"mape": 100, "smape": 100}
    if levels:
        parts["wql"] = uf.scaled_crps(known, {"m": columns}, np.array(levels))
        parts["crps_quantiles"] = uf.mqloss(df, {"m": columns}, np.array(levels))
        factor["crps_quantiles"] = 2
    for q, column in zip(levels, columns):
        parts[f"quantile_loss[{q:g}]"] = uf.quantile_loss(df, {"m": column}, q=q)
        parts[f"calibration[{q:g}]"] = uf.calibration(known, {"m": column})
        factor[f"calibration[{q:g}]"] = 100
    for p, _, _ in intervals(levels):
        parts[f"coverage[{p}]"] = uf.coverage(known, ["m"], level=p)
        factor[f"coverage[{p}]"] = 100
    out = {i: {} for i in df["unique_id"].unique()}
    for name, part in parts.items():
        values = dict(zip(part["unique_id"], part["m"]))
        for i in out:
            out[i][name] = factor.get(name, 1) * float(values.get(i, np.nan))
            if name == "wql" and not np.abs(df[df["unique_id"] == i]["y"]).sum() > 0:
                out[i][name] = np.nan  # it divides by 2e-16
    return out


def scaled_scores(windows, season, levels, only_step=None):
    """Of every window the scores that utilsforecast divides by the error of the seasonal naive forecast."""
    out = []
    for w in windows:
        df = rows([w], levels, lambda n, w, h: 0)
        if only_step is not None:
            df = df[df["ds"] == len(w["history"]) + only_step]
        train = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(w["history"])), "y": w["history"]})
        scores = {"mase": np.nan, "rmsse": np.nan} | {f"msis[{p}]": np.nan for p, _, _ in intervals(levels)}
        if len(train) and len(df):
            scores["mase"] = float(uf.mase(df, ["m"], season, train)["m"].iloc[0])
            scores["rmsse"] = float(uf.rmsse(df, ["m"], season, train)["m"].iloc[0])
            base = train.assign(m=train["y"].shift(season))
            scale = float(uf.mae(base, ["m"])["m"].iloc[0])
            known = df.dropna(subset=["y"])
            for p, _, _ in intervals(levels):
                score = uf.winkler_score(known, ["m"], level=p) if len(known) else None
                if score is not None and scale > 0:
                    scores[f"msis[{p}]"] = float(score["m"].iloc[0]) / scale
        out.append(scores)
    return out


def mean_of(scores):
    """Means over the windows that have a finite score."""
    out = {}
    for name in scores[0]:
        values = [s[name] for s in scores if np.isfinite(s[name])]
        out[name] = float(np.mean(values)) if values else np.nan
    return out


def utilsforecast_scores(windows, levels, season):
    scaled = scaled_scores(windows, season, levels)
    by_window = frame_scores(rows(windows, levels, lambda n, w, h: n), levels)
    by_series = frame_scores(rows(windows, levels, lambda n, w, h: w["series"]), levels)
    by_step = frame_scores(rows(windows, levels, lambda n, w, h: h), levels)
    overall = frame_scores(rows(windows, levels, lambda n, w, h: 0), levels)[0]
    return {
        "windows": [by_window[n] | scaled[n] for n in range(len(windows))],
        "series": {str(s): scores | mean_of([scaled[n] for n, w in enumerate(windows) if w["series"] == s])
                   for s, scores in by_series.items()},
        "steps": [by_step[h] | mean_of(scaled_scores(windows, season, levels, h)) for h in sorted(by_step)],
        "overall": overall | mean_of(scaled),
    }


def gluonts_scores(windows, levels, season):
    """Only what means the same there."""
    if 0.5 not in levels:
        return {}
    series, forecasts = [], []
    for w in windows:
        x = np.concatenate([w["history"], w["actual"]])
        index = pd.period_range("2020-01-01", periods=len(x), freq="D")
        series.append(pd.Series(x, index=index))
        forecasts.append(QuantileForecast(np.vstack([w["quantiles"], w["point"]]), index[len(w["history"])],
                                          [str(q) for q in levels] + ["mean"]))
    out = [{} for _ in windows]
    total = {}
    same_point = all(np.array_equal(w["point"], w["quantiles"][levels.index(0.5)]) for w in windows)
    long_enough = [len(w["history"]) > season for w in windows]
    alike = len({len(w["actual"]) for w in windows}) == 1 and all(np.isfinite(w["actual"]).all() for w in windows)
    crossing = any((np.diff(w["quantiles"], axis=0) < 0).any() for w in windows)  # it adds both penalties
    for p, i, _ in intervals(levels):
        evaluator = Evaluator(quantiles=levels, seasonality=season, alpha=2 * levels[i], num_workers=0)
        totals, lines = evaluator(iter(series), iter(forecasts))
        name = f"msis[{p}]"
        for n, scores in enumerate(out):
            line = lines.iloc[n]
            if long_enough[n] and not crossing:
                scores[name] = line["MSIS"]
            if long_enough[n] and same_point:
                scores["mase"] = line["MASE"]
            if same_point:
                scores["mape"] = 100 * line["MAPE"]
            if same_point and not any((windows[n]["point"] == 0) & (windows[n]["actual"] == 0)):
                scores["smape"] = 100 * line["sMAPE"] / 2
            scores["mse"] = line["MSE"]
            count = np.isfinite(windows[n]["actual"]).sum()
            for q in levels:
                scores[f"quantile_loss[{q:g}]"] = line[f"QuantileLoss[{q}]"] / 2 / count if count else np.nan
                scores[f"calibration[{q:g}]"] = 100 * line[f"Coverage[{q}]"] if count else np.nan
        if all(long_enough) and np.isfinite(totals["MSIS"]):  # else a history is constant
            if not crossing:
                total[name] = totals["MSIS"]
            if same_point:
                total["mase"] = totals["MASE"]
        total["wql"] = totals["mean_wQuantileLoss"]
        if alike:
            total["mse"], total["rmse"] = totals["MSE"], totals["RMSE"]
            for q in levels:
                total[f"calibration[{q:g}]"] = 100 * totals[f"Coverage[{q}]"]
    return {"windows": out, "overall": total}


def joined(windows, key):
    y = np.concatenate([w["actual"] for w in windows])
    return np.concatenate([w[key] for w in windows], axis=-1)[..., np.isfinite(y)], y[np.isfinite(y)]


def scikit_learn_scores(windows, levels):
    point, y = joined(windows, "point")
    if len(y) == 0:
        return {}
    out = {"mae": sk.mean_absolute_error(y, point), "mse": sk.mean_squared_error(y, point),
           "rmse": sk.root_mean_squared_error(y, point)}
    if (y != 0).all():
        out["mape"] = 100 * sk.mean_absolute_percentage_error(y, point)
    if levels:
        quantiles, _ = joined(windows, "quantiles")
        out |= {f"quantile_loss[{q:g}]": sk.mean_pinball_loss(y, quantiles[k], alpha=q) for k, q in enumerate(levels)}
    return {"overall": out}


def crps_of(windows, function):
    out = []
    for w in windows:
        known = np.isfinite(w["actual"])
        out.append({"crps": float(np.mean(function(w["actual"][known], w["samples"].T[known])))
                    if known.any() else np.nan})
    return out


def scoringrules_scores(windows, levels):
    out = {"windows": crps_of(windows, lambda y, x: scoringrules.crps_ensemble(y, x, estimator="nrg",
                                                                              backend="numpy"))}
    quantiles, y = joined(windows, "quantiles")
    if len(y) and levels:
        crps = scoringrules.crps_quantile(y, quantiles.T, np.array(levels), backend="numpy")
        out["overall"] = {"crps_quantiles": float(np.mean(crps))}
    return out


def properscoring_scores(windows):
    samples = [properscoring.crps_ensemble(w["actual"], w["samples"].T) for w in windows]
    values = np.concatenate(samples)
    values = values[np.isfinite(values)]
    return {"windows": crps_of(windows, properscoring.crps_ensemble),
            "overall": {"crps": float(values.mean()) if len(values) else np.nan}}


def case(name, windows, season=1, levels=LEVELS):
    return {"name": name, "levels": levels, "seasonality": season, "windows": windows, "expected": {
        "utilsforecast": utilsforecast_scores(windows, levels, season),
        "gluonts": gluonts_scores(windows, levels, season),
        "scikit-learn": scikit_learn_scores(windows, levels),
        "scoringrules": scoringrules_scores(windows, levels),
        "properscoring": properscoring_scores(windows)}}


def with_gaps(past, y, paths):
    past[3::7] = np.nan
    y[1] = np.nan


def all_missing(past, y, paths):
    if y[0] < 22:
        y[:] = np.nan


def mostly_zero(past, y, paths):
    past[:], y[:] = np.where(past > 22, np.round(past) - 22, 0), np.where(y > 22, np.round(y) - 22, 0)
    paths[:] = np.maximum(0, np.round(paths) - 22)


def constant_past(past, y, paths):
    if y[0] < 26:
        past[:] = past[0]


def scaled_by(factor):
    def change(past, y, paths):
        for a in (past, y, paths):
            a *= factor
    return change


def own_point_and_crossing(windows):
    rng = np.random.default_rng(99)
    for w in windows:
        w["point"] = np.round(w["point"] + rng.normal(size=len(w["point"])), 3)
        w["quantiles"][[1, -2]] = w["quantiles"][[-2, 1]]
    return windows


def unequal_lengths(windows):
    for n, w in enumerate(windows):
        steps = len(w["actual"]) - n % 3
        for key in ("actual", "point", "quantiles", "samples"):
            w[key] = w[key][..., :steps]
        w["history"] = w["history"][len(w["history"]) - [0, 3, 4, 5, 9, 30][n]:]
    return windows


def cases():
    return [
        case("plain", drawn(1)),
        case("seasonal", drawn(2, horizon=6, season=4), season=4),
        case("one step", drawn(3, horizon=1, origins=3, samples=1)),
        case("missing values", drawn(4, change=with_gaps), season=2),
        case("windows without a value", drawn(5, change=all_missing)),
        case("every window without a value", drawn(5, series=1, change=lambda past, y, paths: y.fill(np.nan))),
        case("zeros", drawn(6, series=4, horizon=5, change=mostly_zero, decimals=0)),
        case("nothing but zeros", drawn(7, series=1, change=lambda past, y, paths: y.fill(0))),
        case("ties", drawn(8, decimals=0, samples=3, horizon=8)),
        case("constant histories", drawn(9, change=constant_past)),
        case("large", drawn(10, change=scaled_by(1e6))),
        case("small, negative", drawn(11, change=scaled_by(-1e-3), decimals=6)),
        case("own point, crossing quantiles", own_point_and_crossing(drawn(12)), season=7),
        case("unequal lengths, short histories", unequal_lengths(drawn(13)), season=4),
        case("one level", drawn(14, levels=[0.5]), levels=[0.5]),
        case("nine levels", drawn(15, levels=[k / 10 for k in range(1, 10)]), levels=[k / 10 for k in range(1, 10)]),
    ]


def resampled(windows, season):
    """Numerators and denominators of scores, a window each, by their definitions."""
    out = {"mae": [], "rmse": [], "mase": []}
    for w in windows:
        e = w["point"] - w["actual"]
        e = e[np.isfinite(e)]
        scale = np.nanmean(np.abs(w["history"][season:] - w["history"][:-season]))
        out["mae"].append((np.abs(e).sum(), len(e)))
        out["rmse"].append(((e * e).sum(), len(e)))
        out["mase"].append((np.abs(e).mean() / scale, 1))
    return {name: np.array(sums) for name, sums in out.items()}


def interval(values):
    """lookback/metrics/significance.h: the central 95 % of resamples."""
    ordered = np.sort(values)
    skip = len(ordered) // 40
    return {"mean": float(np.mean(values)), "lower": float(ordered[skip]), "upper": float(ordered[-skip - 1])}


def bootstrap():
    season = 3
    windows = drawn(16, series=5, season=season, change=with_gaps)
    rng = np.random.default_rng(17)
    other = [np.round(w["point"] + rng.normal(size=len(w["point"])), 3) for w in windows]
    picked = np.random.default_rng(SEED).integers(0, len(windows), size=(RESAMPLES, len(windows)))
    a, b = resampled(windows, season), resampled([w | {"point": p} for w, p in zip(windows, other)], season)
    out = {"windows": windows, "levels": LEVELS, "seasonality": season, "other": other, "samples": RESAMPLES,
           "seed": SEED, "intervals": {}, "differences": {}}
    for name in a:
        def score(sums):
            total = sums[picked].sum(axis=1)
            return np.sqrt(total[:, 0] / total[:, 1]) if name == "rmse" else total[:, 0] / total[:, 1]
        out["intervals"][name] = interval(score(a[name]))
        out["differences"][name] = interval(score(a[name]) - score(b[name]))
    return out


def plain(x):
    """JSON knows neither arrays nor NaN."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [plain(v) for v in x]
    if isinstance(x, (float, np.floating)):
        return float(x) if np.isfinite(x) else None
    return int(x) if isinstance(x, np.integer) else x


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/forecasts.json")
    recorded = cases()
    versions = {name: metadata.version(name) for name in LIBRARIES}
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{\n"versions": {json.dumps(versions)},\n"cases": [\n')
        f.write(",\n".join(json.dumps(plain(c), separators=(",", ":")) for c in recorded))
        f.write(f'\n],\n"bootstrap": {json.dumps(plain(bootstrap()), separators=(",", ":"))}\n}}\n')
    print(f"{path}: {len(recorded)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
