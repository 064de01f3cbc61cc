#!/usr/bin/env python3
"""Records what pandas and GluonTS say about times: tests/golden/data/time_stamps.json.

usage: gen_time_stamps.py [OUT.json]      needs pandas and gluonts; same output every time for the same versions

Times are seconds from 1970. Recorded are cells as pandas reads them, frequencies that pandas infers, stamps some steps
apart by pandas' offsets, and GluonTS's time features and seasonality.
"""
import datetime
import json
import os
import sys

import gluonts
import numpy as np
import pandas as pd
from gluonts.time_feature import get_seasonality, time_features_from_frequency_str

SECONDS = ["s", "15s", "min", "5min", "15min", "90min", "h", "2h", "36h"]
DAYS = ["D", "3D", "40D", "W-MON", "W-SUN", "2W-WED"]
MONTHS = ["MS", "ME", "5MS", "7ME", "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV", "2QS-MAR", "2QE-OCT",
          "YS-JAN", "YS-MAR", "YE-DEC", "YE-FEB", "3YS-JUL", "4YE-FEB"]


def epoch(stamp):
    return int(pd.Timestamp(stamp).timestamp())


def cells(rng):
    """Every style, over all years that pandas has."""
    formats = ["%Y-%m", "%Y-%m-%d", "%Y/%m/%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M:%S",
               "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.000000", "%Y-%m-%dT%H:%M:%S.000Z",
               "%Y-%m-%d %H:%M:%S+02:00", "%Y-%m-%dT%H:%M:%S-0530", "%Y-%m-%d %H:%M+14:00", "%Y-%m-%dT%H:%M:%S.0-09:30"]
    out = []
    for form in formats:
        for second in rng.integers(epoch("1677-09-22"), epoch("2262-04-11"), size=12):
            cell = pd.Timestamp(int(second), unit="s").strftime(form)
            out.append([cell, epoch(cell)])
    for year in (1, 4, 100, 400, 1500, 1600, 1676, 2263, 4000, 9999):  # pandas's nanoseconds do not go there
        for rest in ("01-01", "02-28", "03-01", "12-31"):
            date = datetime.date.fromisoformat(f"{year:04d}-{rest}")
            out.append([str(date), (date.toordinal() - datetime.date(1970, 1, 1).toordinal()) * 86400])
    return out


def start(rng, years=(1690, 2150)):
    day = rng.integers(epoch(f"{years[0]}-01-01"), epoch(f"{years[1]}-01-01")) // 86400
    return pd.Timestamp(int(day) * 86400, unit="s") + pd.Timedelta(seconds=int(rng.choice([0, 0, 3600 * 12, 86399])))


def frequencies(rng):
    out = []
    for alias in SECONDS + DAYS + MONTHS + ["B"]:
        for periods in (3, 4, 7, 25):
            for _ in range(2):
                index = pd.date_range(start(rng), periods=periods, freq=alias)
                inferred = pd.infer_freq(index)
                if inferred:
                    out.append([inferred, [epoch(stamp) for stamp in index]])
    return out


def steps(rng):
    """[alias, stamp, k, the stamp k steps on]"""
    out = []
    for alias in SECONDS + DAYS + MONTHS + ["B", "3B"]:
        offset = pd.tseries.frequencies.to_offset(alias)
        index = pd.date_range("1677-12-01 06:00", "2257-03-01", freq=alias if alias not in SECONDS else f"{10**4}D")
        for _ in range(15):
            stamp = index[rng.integers(len(index))]
            most = min(10**8, int(200 * 365 * 86400 / ((stamp + offset) - stamp).total_seconds()))
            for k in (int(rng.integers(0, 50)), -int(rng.integers(0, 50)), int(rng.integers(-most, most))):
                try:
                    out.append([alias, epoch(stamp), k, epoch(stamp + k * offset)])
                except (pd.errors.OutOfBoundsDatetime, OverflowError):
                    pass
    for alias, stamp in [("M-15", "1999-10-15"), ("M-30", "2020-01-30"), ("M-29", "2001-12-29 23:00"),
                         ("5M-30", "1890-07-30"), ("Y-FEB-29", "2000-02-29"), ("Q-JAN-29", "1999-10-29"),
                         ("Y-JUN-15", "1800-06-15")]:
        months = {"Y": 12, "Q": 3, "M": 1}[alias.lstrip("5")[0]] * (5 if alias[0] == "5" else 1)
        for k in [*range(-14, 15), 100, 400, -400, -60]:
            later = pd.Timestamp(stamp) + pd.DateOffset(months=k * months)
            out.append([alias, epoch(stamp), k, epoch(later)])
    return out


def features(rng):
    out = []
    for alias in ["s", "min", "15min", "h", "6h", "D", "2D", "B", "W-MON", "W-SUN", "MS", "ME", "QS-JAN", "QE-NOV", "YS-JAN",
                  "YE-JUN"]:
        functions = time_features_from_frequency_str(alias)
        index = pd.DatetimeIndex(sorted({stamp for _ in range(3) for stamp in pd.date_range(
            start(rng), periods=12, freq=alias)}))
        # GluonTS hands over periods; for these they have the days of their stamps.
        period = {"MS": "M", "ME": "M"}.get(alias, alias.lstrip("0123456789"))
        for function in functions if alias[0] not in "BQY" else []:
            assert np.array_equal(np.asarray(function(index), float),
                                  np.asarray(function(index.to_period(period)), float)), alias
        out.append({"alias": alias, "names": [f.__name__ for f in functions], "stamps": [epoch(s) for s in index],
                    "values": [np.asarray(f(index), float).tolist() for f in functions]})
    return out


def seasonalities():
    aliases = ["s", "30s", "7s", "min", "5min", "15min", "7min", "h", "2h", "3h", "5h", "B", "2B", "5B", "MS", "ME", "5MS",
               "2ME", "QS-JAN", "QE-DEC", "2QS-JAN", "YS-JAN", "YE-DEC", "2YE-DEC"]
    return [[alias, get_seasonality(alias)] for alias in aliases]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/data/time_stamps.json")
    rng = np.random.default_rng(1)
    out = {"cells": cells(rng), "frequencies": frequencies(rng), "steps": steps(rng), "features": features(rng),
           "seasonalities": seasonalities()}
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{\n"pandas": "{pd.__version__}", "gluonts": "{gluonts.__version__}"')
        for key, rows in out.items():  # one case per line, so that a change can be read
            body = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
            f.write(f',\n"{key}": [\n{body}\n]')
        f.write("\n}\n")
    print(f"{path}: {', '.join(f'{len(rows)} {key}' for key, rows in out.items())}", file=sys.stderr)


if __name__ == "__main__":
    main()
