#!/usr/bin/env python3
"""Forecasting as a user does it: tables in, tables out, scores beside the baselines; nothing of the future is learnt."""
import datetime
import json
import math
import random

import program as p

RECIPE = """task = "forecast"

[data]
train = "table.csv"
valid_from = "60 %"
test_from = "80 %"
history = 48
horizons = [6, 12]

[model]
kind = "segment"
segment = 12
encoder = { hidden = 8, bidirectional = false }
pooling = { kind = "additive" }

[train]
max_steps = 40
batch = 32
optimizer = { lr = 1e-3, clip = 1.0 }
validate_every = 20
keep = "mse"
"""
START, STEPS = datetime.datetime(2024, 2, 20), 600


def value(series, step):
    """A day of 24 hours, a slow rise, and noise."""
    noise = random.Random(1000 * series + step).gauss(0, 0.2)
    return 10 * series + 3 * math.sin(2 * math.pi * step / 24) + 0.01 * step + noise


def long_table(changed_from=STEPS):
    rows = ["unique_id,ds,y"]
    for series in (1, 2):
        for step in range(STEPS):
            y = value(series, step) if step < changed_from else 77.0
            rows.append(f"s{series},{START + datetime.timedelta(hours=step)},{y:.4f}")
    return rows


class Forecast(p.Case):
    def data(self, rows=None):
        folder = self.fresh("data")
        folder.mkdir(parents=True)
        p.write_lines(folder / "table.csv", rows or long_table())
        (folder / "recipe.toml").write_text(RECIPE)
        return folder

    def trained(self, *words, rows=None):
        data = self.data(rows)
        folder = self.fresh("model")
        self.ok("train", data / "recipe.toml", "--out", folder, "--quiet", *words)
        return data, folder

    def scores(self, *words):
        return {line.split()[0]: float(line.split()[1]) for line in self.ok(*words).stdout.decode().splitlines()}

    def test_train_evaluate_predict(self):
        data, model = self.trained()
        scores = self.scores("evaluate", model)
        names = ["mse", "mae", "rmse", "mape", "smape", "mase", "rmsse"]
        self.assertEqual(list(scores), names + [f"{n}_{h}" for h in (6, 12) for n in names])
        self.assertAlmostEqual(scores["mse"], (scores["mse_6"] + scores["mse_12"]) / 2, 3)
        self.assertLess(scores["mase"], 1)  # the seasonal naive forecast in training has 1
        out = self.ok("predict", model, "--in", data / "table.csv", "--horizon", "5").stdout.decode().splitlines()
        self.assertEqual(out[0], "unique_id,ds,mean")
        self.assertEqual([row.split(",")[:2] for row in out[1:]],
                         [[f"s{s}", str(START + datetime.timedelta(hours=STEPS + h))] for s in (1, 2) for h in range(5)])
        for s, h, row in zip([1] * 5 + [2] * 5, list(range(5)) * 2, out[1:]):
            self.assertLess(abs(float(row.split(",")[2]) - value(s, STEPS + h)), 1.5)
        piped = self.ok("predict", model, "--horizon", "5", "--format", "jsonl", "--batch", "1",
                        stdin="\n".join(long_table()) + "\n").stdout.decode().splitlines()
        self.assertEqual([json.loads(row)["mean"] for row in piped], [float(row.split(",")[2]) for row in out[1:]])
        both = self.ok("predict", model, model, "--in", data / "table.csv", "--horizon", "5").stdout.decode().splitlines()
        self.assertEqual(both, out)

    def test_every_baseline_is_scored_on_both_parts(self):
        blocks = [b.splitlines() for b in
                  self.ok("baseline", self.data() / "recipe.toml").stdout.decode().split("\n\n")]
        names = ["last value", "seasonal naive", "drift", "mean", "simple exponential smoothing", "Holt", "Holt-Winters",
                 "linear map"]
        self.assertEqual([b[0] for b in blocks], [f"{n}, data.{part}" for part in ("valid", "test") for n in names])
        mse = {b[0]: float(b[1].split()[1]) for b in blocks}
        self.assertLess(mse["seasonal naive, data.test"], mse["last value, data.test"] / 5)
        self.assertLess(mse["linear map, data.test"], mse["seasonal naive, data.test"])

    def test_quantiles_are_scored_and_written(self):
        words = ["--set", "loss.kind=quantile", "--set", "loss.levels=0.1,0.5,0.9"]
        data, model = self.trained(*words)
        scores = self.scores("evaluate", model)
        self.assertIn("coverage[80]_12", scores)
        self.assertGreater(scores["wql"], 0)
        header, first = self.ok("predict", model, "--in", data / "table.csv").stdout.decode().splitlines()[:2]
        self.assertEqual(header, "unique_id,ds,mean,q0.1,q0.5,q0.9")
        self.assertEqual(first.split(",")[2], first.split(",")[4])
        self.assertIn("wql", self.scores_of_baseline(data, *words))

    def test_intervals_are_calibrated_or_the_models_own(self):
        data, model = self.trained()
        table = data / "table.csv"
        out = self.ok("predict", model, "--in", table, "--levels", "80,95").stdout.decode().splitlines()
        self.assertEqual(out[0], "unique_id,ds,mean,lo-80,hi-80,lo-95,hi-95")
        for row in out[1:]:
            mean, *ends = (float(x) for x in row.split(",")[2:])
            self.assertTrue(ends[2] < ends[0] < mean < ends[1] < ends[3], row)
        scores = self.scores("evaluate", model, "--levels", "80,95")
        for percent in (80, 95):
            self.assertLess(abs(scores[f"coverage[{percent}]_12"] - percent), 10)
        self.assertLess(scores["width[80]_12"], scores["width[95]_12"])
        self.fails(2, "predict", model, "--in", table, "--levels", "90", says=["90 % was not calibrated", "80, 95 were"])
        self.fails(2, "predict", model, "--in", table, "--levels", "80", "--intervals", "model",
                   says=["no interval of 80 % of its own", "0.1 and 0.9"])
        self.fails(2, "predict", model, "--in", table, "--levels", "95,80", says="no part in percent")
        self.fails(2, "predict", model, "--in", table, "--seed", "3", says="draw paths")

        _, quantiles = self.trained("--set", "loss.kind=quantile", "--set", "valid.intervals=")
        own = self.ok("predict", quantiles, "--in", table, "--levels", "80", "--intervals", "model").stdout.decode()
        for row in own.splitlines()[1:]:
            cells = row.split(",")
            self.assertEqual(cells[6:], [cells[3], cells[5]])  # the interval of 80 % is from q0.1 to q0.9
        self.fails(2, "predict", quantiles, "--in", table, "--levels", "80", says="none was")

    def test_odd_tables_have_a_stated_result_or_one_clear_error(self):
        _, model = self.trained()
        at = lambda hours: datetime.datetime(2024, 2, 28) + datetime.timedelta(hours=hours)
        table = lambda rows: "unique_id,ds,y\n" + "".join(f"{s},{t},{y}\n" for s, t, y in rows)
        said = lambda rows: [line.split(",") for line in
                             self.ok("predict", model, "--horizon", "2", stdin=table(rows)).stdout.decode().splitlines()[1:]]
        # Over a leap day, with a day that is missing.
        days = said([("a", at(h), h % 24) for h in range(96) if not 30 <= h < 54])
        self.assertEqual([row[1] for row in days], ["2024-03-03 00:00:00", "2024-03-03 01:00:00"])
        # The step grows finer: the hours between the days are gaps.
        self.assertEqual(said([("a", at(24 * d), d) for d in range(5)] + [("a", at(96 + h), 4) for h in range(1, 9)])[0][1],
                         str(at(105)))
        # A series that does not change goes on.
        for row in said([("a", at(h), 7) for h in range(60)]):
            self.assertLess(abs(float(row[2]) - 7), 0.5)
        # Without any value a series has no forecast; the others do.
        self.assertEqual({row[0] for row in said([("a", at(h), h) for h in range(9)] + [("none", at(h), "") for h in range(9)])}, {"a"})
        self.fails(3, "predict", model, stdin=table([("none", at(h), "NA") for h in range(9)]), says="no series has a value")
        self.fails(3, "predict", model, stdin=table([("a", at(h - (h > 4)), h) for h in range(9)]),
                   says=["standard input:7", "a second row of its series and time"])
        self.fails(5, "predict", model, stdin=table([("a", at(h), "1e300" if h % 2 else "-1e300") for h in range(9)]),
                   says="too large to be scaled")

    def test_a_new_series_and_one_of_a_single_value(self):
        _, model = self.trained()
        out = self.ok("predict", model, stdin="unique_id,ds,y\nnew,2024-01-01 00:00:00,5\n").stdout.decode().splitlines()
        self.assertEqual(len(out), 13)
        self.assertTrue(out[1].startswith("new,2024-01-01 01:00:00,"))

    def test_a_backtest_says_what_predict_would_have_said(self):
        data, model = self.trained()
        out = self.fresh("rows.csv")
        words = ["backtest", model, "--start", "500", "--stride", "7", "--horizon", "6", "--levels", "80"]
        scores = self.scores(*words, "--out", out)
        self.assertIn("coverage[80]", scores)
        rows = [line.split(",") for line in out.read_text().splitlines()]
        self.assertEqual(rows[0], "unique_id,cutoff,ds,y,mean,lo-80,hi-80".split(","))
        cutoffs = [row[1] for row in rows[1:] if row[0] == "s1"][::6]
        self.assertEqual(cutoffs, [str(START + datetime.timedelta(hours=t - 1)) for t in range(500, STEPS - 5, 7)])
        self.assertAlmostEqual(scores["mae"], sum(abs(float(r[3]) - float(r[4])) for r in rows[1:]) / len(rows[1:]), 4)
        # The table as it was at the third forecast.
        then = [line for line in long_table() if line[:2] == "un" or line.split(",")[1] <= cutoffs[2]]
        said = self.ok("predict", model, "--horizon", "6", "--levels", "80", stdin="\n".join(then) + "\n").stdout.decode()
        at_cutoff = [",".join([r[0]] + r[2:3] + r[4:]) for r in rows[1:] if r[1] == cutoffs[2]]
        self.assertEqual(said.splitlines()[1:], at_cutoff)
        same = self.ok(*words, "--in", data / "table.csv", "--out", "-", "--format", "jsonl").stdout.decode().splitlines()
        self.assertEqual([json.loads(line)["mean"] for line in same], [float(r[4]) for r in rows[1:]])

        day = START + datetime.timedelta(days=21)
        by_day = self.fresh("by-day.csv")
        self.ok("backtest", model, "--start", str(day.date()), "--stride", "24", "--out", by_day)
        self.assertEqual(by_day.read_text().splitlines()[1].split(",")[2], str(day))

        by_step = self.ok(*words, "--by", "step").stdout.decode().split("\n\n")[1].splitlines()
        self.assertEqual([line.split()[0] for line in by_step], ["step"] + [str(h) for h in range(1, 7)])
        by_series = self.ok("evaluate", model, "--by", "series").stdout.decode().split("\n\n")[1].splitlines()
        self.assertEqual([line.split()[0] for line in by_series], ["series", "s1", "s2"])
        self.fails(2, "evaluate", model, "--by", "label", says="by step and by series")
        self.fails(3, "backtest", model, "--start", "597", "--horizon", "6", says="no series has 6 values from 597 on")
        self.fails(2, "backtest", model, "--start", "soon", says="is no number of values")

    def test_rolling_intervals_are_of_what_was_known_at_the_time(self):
        data, model = self.trained()
        words = ["--horizon", "6", "--levels", "80,95", "--intervals", "rolling", "--recent", "40"]
        backtest = ["backtest", model, "--start", "500", "--stride", "7", *words]
        out, fixed, later = (self.fresh(f"{name}.csv") for name in ("rolling", "fixed", "later"))
        scores = self.scores(*backtest, "--out", out)
        for percent in (80, 95):
            self.assertLess(abs(scores[f"coverage[{percent}]"] - percent), 10)
        rows = [line.split(",") for line in out.read_text().splitlines()]
        self.ok(*backtest[:-4], "--out", fixed)
        fixed = [line.split(",") for line in fixed.read_text().splitlines()]
        self.assertEqual([row[:5] for row in rows], [row[:5] for row in fixed])
        self.assertTrue(all(a[5:] != b[5:] for a, b in zip(rows[1:], fixed[1:])))
        # What predict says of the table as it was, and no bit of it by what comes, or by which windows are scored.
        cutoff = [row[1] for row in rows if row[0] == "s1"][6 * 5]
        then = [line for line in long_table() if line[:2] == "un" or line.split(",")[1] <= cutoff]
        said = self.ok("predict", model, *words, "--batch", "7", stdin="\n".join(then) + "\n").stdout.decode().splitlines()
        self.assertEqual(said[1:], [",".join([r[0]] + r[2:3] + r[4:]) for r in rows[1:] if r[1] == cutoff])
        changed = data / "changed.csv"
        p.write_lines(changed, long_table(changed_from=500 + 7 * 5))
        self.ok(*backtest, "--in", changed, "--out", later)
        known = lambda lines: [r[:3] + r[4:] for r in lines[1:] if r[1] <= cutoff]
        later = [line.split(",") for line in later.read_text().splitlines()]
        self.assertEqual(known(later), known(rows))
        self.assertNotEqual(later, rows)

        # A table without outcomes beyond what was learnt, and a series of a few values, have the validation part's.
        for table in (long_table()[:1 + int(0.6 * STEPS)], ["unique_id,ds,y", "new,2024-01-01 00:00:00,5"]):
            text = "\n".join(table) + "\n"
            self.assertEqual(self.ok("predict", model, *words, stdin=text).stdout,
                             self.ok("predict", model, *words[:4], stdin=text).stdout)
        self.assertNotEqual(said, self.ok("predict", model, *words[:4], stdin="\n".join(then) + "\n").stdout.decode().splitlines())
        self.fails(2, "predict", model, "--levels", "80", "--recent", "9", stdin="x", says="is of intervals = 'rolling'")

    def test_a_backtest_that_trains_anew(self):
        data, model = self.trained()
        words = ["backtest", model, "--start", "500", "--stride", "10", "--horizon", "6", "--refit", "4", "--recipe",
                 data / "recipe.toml"]
        kept, anew = self.fresh("kept.csv"), self.fresh("anew.csv")
        self.ok(*words[:8], "--out", kept)
        self.ok(*words, "--out", anew)
        kept, anew = kept.read_text().splitlines(), anew.read_text().splitlines()
        self.assertEqual([r.split(",")[:4] for r in kept], [r.split(",")[:4] for r in anew])
        # Another model from its fifth forecast on than before: the one that its part of the table trains.
        by_hand = self.fresh("by-hand")
        self.ok("train", data / "recipe.toml", "--out", by_hand, "--quiet", "--set", "data.test_from=540", "--set",
                "data.valid_from=420")
        rows = self.fresh("rows.csv")
        self.ok("backtest", by_hand, "--start", "540", "--stride", "10", "--horizon", "6", "--out", rows)
        want = [r for r in rows.read_text().splitlines() if r.startswith("s1,2024-03-13 11")]
        self.assertTrue(want)
        self.assertEqual([r for r in anew if r.startswith("s1,2024-03-13 11")], want)
        self.fails(2, *words[:8], "--refit", "4", says="needs --recipe")
        self.fails(2, *words[:3], "80 %", *words[4:], says="as a time or a number of values")

    def test_pictures(self):
        data, model = self.trained()
        drawn = lambda *words: (self.ok(*words), json.loads((p.WORK / "figure.json").read_text()))[1]
        fan = drawn("explain", model, "--in", data / "table.csv", "--series", "s2", "--horizon", "4", "--out", p.WORK / "figure.json")
        known, forecast = fan["panels"][0]["lines"]
        self.assertEqual((len(known["values"]), len(forecast["values"]), forecast["first"]), (48, 4, 48))
        self.assertEqual([band["name"] for band in forecast["bands"]], ["80 %", "95 %"])
        self.assertEqual(fan["x"]["labels"][48], str(START + datetime.timedelta(hours=STEPS)))
        self.assertAlmostEqual(sum(fan["strips"][0]["weights"]), 1, 4)
        said = self.ok("predict", model, "--in", data / "table.csv", "--horizon", "4").stdout.decode().splitlines()[5:]
        self.assertEqual([float(row.split(",")[2]) for row in said], forecast["values"])
        back = drawn("backtest", model, "--horizon", "6", "--series", "s1", "--plot", p.WORK / "figure.json")
        self.assertEqual(len(back["panels"][0]["lines"]), 13)  # what came, and the last twelve that do not overlap
        error = drawn("evaluate", model, "--plot", p.WORK / "figure.json")["panels"][0]["lines"]
        self.assertEqual([line["name"] for line in error], ["this model", "last value", "seasonal naive"])
        self.assertTrue(all(len(line["values"]) == 12 and max(line["values"]) < 6 for line in error))
        for ending in ("svg", "html"):
            self.ok("explain", model, "--in", data / "table.csv", "--out", p.WORK / f"figure.{ending}")
        self.assertIn("forecast", self.ok("explain", model, "--in", data / "table.csv").stdout.decode())
        self.fails(2, "explain", model, "--in", data / "table.csv", "--series", "s3", says="no such series")
        self.fails(2, "explain", model, "--text", "x", says="--in TABLE is missing")
        self.fails(2, "backtest", model, "--series", "s1", says="is of --plot")

        lists = ["--set", "model.kind=tft", "--set", "model.segment=24", "--set", "model.pooling.kind=last"]
        data, model = self.trained(*lists)
        fan = drawn("explain", model, "--in", data / "table.csv", "--out", p.WORK / "figure.json")
        self.assertEqual(len(fan["strips"]), 8)
        past = {bar["name"]: bar["value"] for bar in fan["bars"] if bar["group"] == "past"}
        self.assertIn("y", past)
        self.assertAlmostEqual(sum(past.values()), 1, 4)

    def test_covariates_say_what_the_series_does_not(self):
        """Half of what comes is a price that is known ahead, the level is the shop's."""
        price = lambda series, step: random.Random(77 * series + step).choice([0.0, 1.0])
        promo = lambda series, step: random.Random(99 * series + step).choice(["none", "flyer"])

        def rows(last, ahead, target=lambda y: f"{y:.4f}"):
            out = ["unique_id,ds,y,price,promo,kind"]
            for series in (1, 2):
                for step in range(last + ahead):
                    y = series + 3 * price(series, step) + 2 * (promo(series, step) == "flyer")
                    out.append(f"s{series},{START + datetime.timedelta(hours=step)},{target(y) if step < last else ''},"
                               f"{price(series, step)},{promo(series, step)},{'big' if series == 2 else 'small'}")
            return out

        lists = ["--set", "data.future=price,promo", "--set", "data.static=kind", "--set", "data.categorical=promo,kind"]
        for kind, *more in (("lstm", "model.segment=24", "model.pooling.kind=last"), ("seq2seq", "model.segment=24", "model.pooling.kind=last"),
                            ("tft", "model.segment=24", "model.pooling.kind=last"), ("segment",),
                            ("deepar", "model.segment=24", "model.pooling.kind=last", "model.linear=false", "loss.kind=gaussian", "train.keep=loss")):
            sets = [w for m in more for w in ("--set", m)]
            data, model = self.trained("--set", f"model.kind={kind}", "--set", "train.max_steps=400", "--set", "train.optimizer.lr=1e-2",
                                       "--set", "model.encoder.hidden=16", "--set", "data.horizons=4", *lists, *sets, rows=rows(STEPS, 0))
            self.assertLess(self.scores("evaluate", model)["mae"], 0.4, kind)  # 1.5 without the variables
            out = self.ok("predict", model, stdin="\n".join(rows(STEPS, 4)) + "\n").stdout.decode().splitlines()
            self.assertEqual(len(out), 9)
            for k, line in enumerate(out[1:]):
                series, step = 1 + k // 4, STEPS + k % 4
                want = series + 3 * price(series, step) + 2 * (promo(series, step) == "flyer")
                self.assertLess(abs(float(line.split(",")[2]) - want), 1.2, (kind, line))
        self.fails(3, "predict", model, stdin="\n".join(rows(STEPS, 3)) + "\n", says=["has 3 of the 4 rows", "price"])
        self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("bad"), "--set", "data.past=price", *sets,
                   "--set", "model.kind=deepar", says="price")
        self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("bad"), "--set", "data.past=prize", says="no column 'prize'")
        # What training knows of names it keeps; another one is none of them.
        other = "\n".join(rows(STEPS, 4)).replace("flyer", "poster") + "\n"
        self.assertEqual(len(self.ok("predict", model, stdin=other).stdout.decode().splitlines()), 9)

    def scores_of_baseline(self, data, *words):
        first = self.ok("baseline", data / "recipe.toml", *words).stdout.decode().split("\n\n")[0]
        return {line.split()[0] for line in first.splitlines()[1:]}

    def test_what_comes_after_the_validation_part_changes_no_bit_of_training(self):
        weights = [p.sha256(self.trained(rows=rows)[1] / "model.safetensors")
                   for rows in (long_table(), long_table(changed_from=int(0.8 * STEPS)))]
        self.assertEqual(weights[0], weights[1])
        other = self.trained(rows=long_table(changed_from=int(0.5 * STEPS)))[1]
        self.assertNotEqual(p.sha256(other / "model.safetensors"), weights[0])

    def test_a_resume_and_any_threads_give_the_same_weights(self):
        data, model = self.trained("--threads", "1")
        parts = self.fresh("parts")
        for steps in ("20", "40"):
            more = ["--resume"] if steps == "40" else []
            self.ok("train", data / "recipe.toml", "--out", parts, "--quiet", "--threads", "2", "--set",
                    f"train.max_steps={steps}", *more)
        self.assertEqual(p.sha256(parts / "model.safetensors"), p.sha256(model / "model.safetensors"))

    def test_the_temporal_fusion_transformer(self):
        words = ["--set", "model.kind=tft", "--set", "model.segment=24", "--set", "model.heads=2", "--set",
                 "model.pooling.kind=last", "--set", "model.dropout=0.1"]
        data, model = self.trained(*words, "--threads", "1")
        self.assertLess(self.scores("evaluate", model)["mase"], 1)
        again = self.trained(*words, "--threads", "2")[1]
        self.assertEqual(p.sha256(again / "model.safetensors"), p.sha256(model / "model.safetensors"))
        self.assertEqual(len(self.ok("predict", model, "--in", data / "table.csv").stdout.splitlines()), 1 + 2 * 12)
        for says, changed in (("does not divide model.encoder.hidden", "model.heads=3"),
                              ("LSTM layers in one direction", "model.encoder.bidirectional=true"),
                              ("of kind 'lstm' and 'segment'", "model.pooling.kind=additive")):
            self.fails(2, "train", data / "recipe.toml", "--out", self.fresh("bad"), *words, "--set", changed, says=says)

    def test_wide_tables(self):
        rows = ["date,one,two"] + [f"{START + datetime.timedelta(hours=t)},{value(1, t):.4f},{value(2, t):.4f}"
                                   for t in range(STEPS)]
        words = ["--set", "data.id=", "--set", "data.time=date", "--set", "data.targets=*"]
        data, model = self.trained(*words, rows=rows)
        out = self.ok("predict", model, "--in", data / "table.csv", "--horizon", "1").stdout.decode().splitlines()
        self.assertEqual([row.split(",")[0] for row in out[1:]], ["one", "two"])
        weights = p.sha256(model / "model.safetensors")
        self.assertEqual(p.sha256(self.trained()[1] / "model.safetensors"), weights)  # of the same values in a long table

    def test_bad_input_gets_one_clear_line(self):
        data, model = self.trained()
        daily = "unique_id,ds,y\n" + "".join(f"a,2024-01-{d:02},{d}\n" for d in range(1, 20))
        self.fails(3, "predict", model, stdin=daily, says=["its values are D apart", "learnt from h"])
        self.fails(3, "predict", model, stdin="unique_id,ds,y\na,2024-01-01 00:00:00,x\n", says="'x' in column 'y' is no number")
        self.fails(2, "predict", model, "--horizon", "13", stdin=daily, says="beyond the model's 12 steps")
        self.fails(2, "predict", model, "--in-format", "tsv", stdin=daily, says="reads a table")
        self.fails(2, "predict", model, "--format", "nbest", stdin=daily, says="csv or jsonl")
        header, first, *rest = (model / "scales.csv").read_text().splitlines()
        for end in ("", ",soon"):
            p.write_lines(model / "scales.csv", [header, first.rsplit(",", 1)[0] + end, *rest])
            self.fails(3, "predict", model, stdin=daily, says=["scales.csv:2", "not the id, centre, spread and end of a series"])
        recipe = data / "recipe.toml"
        for says, *words in (("no column 'yy'", "data.targets=yy"), ("is no number of steps", "data.horizons=0"),
                             ("does not divide", "model.segment=7"), ("is no number of values", "data.valid_from=soon"),
                             ("needs 0.5", "loss.kind=quantile", "loss.levels=0.1,0.9"),
                             ("not one after the other", "data.valid_from=90 %"),
                             ("of kind 'segment'", "model.kind=lstm"), ("counts tokens", "train.batch=0")):
            sets = [w for word in words for w in ("--set", word)]
            self.fails(2, "train", recipe, "--out", self.fresh("bad"), *sets, says=says)


if __name__ == "__main__":
    p.main()
