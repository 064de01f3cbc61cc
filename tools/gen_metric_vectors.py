#!/usr/bin/env python3
"""Records what sacreBLEU says about sentences made here: tests/golden/metrics/sacrebleu.json.

usage: gen_metric_vectors.py [OUT.json]      needs sacrebleu, numpy; same output every time for the same versions
"""
import itertools
import json
import os
import random
import sys

import numpy as np
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.bleu import _get_tokenizer
from sacrebleu.significance import PairedTest
from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

os.environ.pop("SACREBLEU_SEED", None)  # sacreBLEU's own default, 12345

WORDS = {
    "en": "the a cat dog house tree runs sleeps under over quickly green old small 3.14 1,000 2-3 U.S. don't "
          "it's John's e-mail (maybe) \"quoted\" really? yes! no; and/or 50% $9.99 x_y C++ Monday ... end".split(),
    "de": "der die das große Straße läuft schläft über unter schnell Haus Bäume weiß 1.000,50 z.B. Über-Ich ÄRGER "
          "„gut“ ‚so‘ – und §5 20€ wäre".split(),
    "zh": "我们 今天 去 学校 。 ， 很 好 《书名》 ？ 中国 北京 ２０２４年 三 个 人 ！ （是的） ㈱ ㎏ 豈 ﹁".split(),
    "ja": "私は 学生 です 。 カタカナ ひらがな 、 東京タワー 「はい」 ・ ｱｲｳ ｡ ー ゞ ㇰ ㍿".split(),
    "ar": "ذهب الولد إلى المدرسة ، كتابٌ جميلٌ ؟ ١٢٣٫٤ هَذَا ؛ ـــ لا".split(),
    "he": "הילד הלך לבית־ספר גדול ש״ח כל ׳ יום שָׁלוֹם".split(),
    "hi": "लड़का स्कूल गया । किताब अच्छी है १२३ क्ष ॥ नहीं".split(),
    "emoji": "👍 👍🏽 👨‍👩‍👧 🇩🇪 ❤️ ok 😀😀 :-) ™ © ½ ² Ⅷ ① → ≠ ¿qué? ¡sí! ªº".split(),
    "odd": ["e\u0301te\u0301", "été", "ΣΊΣΥΦΟΣ", "ΟΔΟΣ.", "İstanbul", "ISPARTA", "ﬁne", "a\u00adb", "\u200dx",
            "z\u200bz", "\ufeffbom", "NA\u0308IVE", "ǅ", "&quot;q&quot;", "&amp;lt;", "&lt;b&gt;", "<skipped>", "--",
            "-5", "5-", ".5", "5.", ",", "'s", "a'b", "\\", "^_^", "{x}", "[1]", "~", "`", "@me", "#1", "A\u0345",
            "ᾼ", "ẞ", "\u1e9e", "K", "Å", "𝔘𝔫𝔦", "𐐀𐐁", "\x07"],
}
SPACES = ["\u00a0", "\u3000", "\t", "  ", "\u2028", "\x85", "\x1c", "\u200a", "\u205f"]


def sentence(rng, language, length):
    return " ".join(rng.choice(WORDS[language]) for _ in range(length))


def moved(rng, words):
    """A block taken out and put somewhere else."""
    if len(words) < 2:
        return words
    size = rng.randint(1, min(6, len(words) - 1))
    at = rng.randint(0, len(words) - size)
    block, rest = words[at:at + size], words[:at] + words[at + size:]
    to = rng.randint(0, len(rest))
    return rest[:to] + block + rest[to:]


def disturbed(rng, line, language, strength):
    """The line as a middling system would write it."""
    words = line.split(" ")
    for _ in range(strength):
        what = rng.randrange(7)
        at = rng.randrange(len(words)) if words else 0
        if what <= 1:
            words = moved(rng, words)
        elif what == 2 and words:
            del words[at]
        elif what == 3:
            words.insert(at, rng.choice(WORDS[language]))
        elif what == 4 and words:
            words[at] = rng.choice(WORDS[language])
        elif what == 5 and words:
            words[at] = rng.choice([str.upper, str.lower, str.title])(words[at])
        elif what == 6 and words:
            words[at] += rng.choice([".", ",", "!", "?", "-", "'s", ")", "…", "。"])
    return " ".join(words)


def corpus(rng, language, lines, refs, strength=4, longest=22):
    first = [sentence(rng, language, rng.randint(1, longest)) for _ in range(lines)]
    references = [first] + [[disturbed(rng, x, language, 3) for x in first] for _ in range(refs - 1)]
    return {"hyp": [disturbed(rng, x, language, rng.randint(0, strength)) for x in first], "refs": references}


def corpora():
    rng = random.Random(20240501)
    out = {language: corpus(rng, language, 8, 1 + k % 3) for k, language in enumerate(WORDS)}
    mixed = corpus(rng, "en", 10, 2)
    mixed["hyp"][2], mixed["hyp"][5], mixed["refs"][0][5], mixed["refs"][1][7] = "", "  \t", "", ""
    mixed["refs"][0][3] = mixed["refs"][1][3] = ""
    mixed["hyp"][0] += " \n"
    mixed["hyp"][1] = "well-\nknown line\nbroken \n-off"
    mixed["refs"][0][1] = "wellknown line broken off"
    out["empty_lines"] = mixed
    spaced = corpus(rng, "odd", 8, 2)
    for lines in [spaced["hyp"]] + spaced["refs"]:
        for i, line in enumerate(lines):
            lines[i] = "".join(rng.choice(SPACES) if c == " " and rng.random() < 0.4 else c for c in line)
    out["spaces"] = spaced
    awkward = ["a&amp;lt;b", "&amp;quot;", "John's, it's.", "dog's! cat's?", "1,.2", ".,.,", "x.,5-.6", "'s 's", "Σ'S ΟΔΟΣ.",
               "a--b-5--6", "&amp;amp;amp;"]
    out["tokenized_twice"] = {"hyp": awkward, "refs": [[x.lower() for x in awkward], awkward[1:] + awkward[:1]]}
    out["short"] = {"hyp": ["a", "b c", ".", "x y z"], "refs": [["a", "b d", "!", "x y w"], ["A", "c b", ".", "x"]]}
    out["nothing_right"] = {"hyp": ["a b c d e", "f"], "refs": [["v w x y z", "u"]]}
    out["all_empty"] = {"hyp": ["", ""], "refs": [["", " "]]}
    out["perfect"] = {"hyp": out["de"]["refs"][0], "refs": [out["de"]["refs"][0]]}
    return out


def shift_pairs():
    """Pairs that exercise TER's search: many shifts, long lines, the candidate limit, far apart lengths."""
    rng = random.Random(7)
    pairs = []
    for n in [2, 3, 5, 8, 13, 21, 34, 55, 90, 130]:
        for kinds in (3, 8, 10 ** 6):
            ref = [f"w{rng.randrange(min(kinds, 2 * n))}" for _ in range(n)]
            hyp = ref
            for _ in range(max(1, n // 6)):
                hyp = moved(rng, hyp)
            hyp = [w if rng.random() > 0.1 else "oops" for w in hyp]
            pairs.append((" ".join(hyp), [" ".join(ref)]))
    pairs.append(("a b c", [" ".join(f"v{k}" for k in range(250)) + " a b c"]))
    pairs.append((" ".join(f"v{k}" for k in range(200)) + " x y", ["x y v3"]))
    pairs.append((" ".join(["a b"] * 40), [" ".join(["b a"] * 40)]))
    pairs.append((" ".join(f"v{k}" for k in range(60, 120)) + " " + " ".join(f"v{k}" for k in range(60)),
                  [" ".join(f"v{k}" for k in range(120))]))
    for hyp, ref in (("bcbbcc", "cbcbcb"), ("acbef", "fbaca"), ("ddeffedcd", "cefdefac")):
        pairs.append((" ".join(hyp), [" ".join(ref)]))  # shifts whose target lies inside the block
    for size in (9, 10, 11, 12, 21):
        block, rest = [f"b{k}" for k in range(size)], [f"r{k}" for k in range(30)]
        pairs.append((" ".join(rest + block), [" ".join(block + rest)]))
    for far in (15, 20, 22, 24, 25, 26, 30):
        ref = [f"v{k}" for k in range(100)]
        pairs.append((" ".join([f"n{k}" for k in range(far)] + ref[:100 - far]), [" ".join(ref)]))
    pairs.append(("a b c d", ["d c b a", "b a d c", ""]))
    return pairs


def grid(**axes):
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


BLEU_GRID = (grid(tokenize=["13a", "intl", "char", "none"], lowercase=[False, True])
             + grid(smooth=["none", "floor", "add-k", "exp"], effective_order=[False, True])
             + [{"smooth": "floor", "smooth_value": 0.5}, {"smooth": "add-k", "smooth_value": 2.25},
                {"smooth": "floor", "smooth_value": 0.0}, {"max_order": 1}, {"max_order": 2, "smooth": "none"},
                {"max_order": 6, "tokenize": "intl"}])
CHRF_GRID = (grid(word_order=[0, 2], whitespace=[False, True])
             + [{"lowercase": True}, {"lowercase": True, "word_order": 1}, {"eps_smoothing": True},
                {"eps_smoothing": True, "word_order": 2}, {"beta": 1}, {"beta": 3, "char_order": 4},
                {"char_order": 1}, {"char_order": 0, "word_order": 2}, {"char_order": 10, "word_order": 3}])
TER_GRID = grid(normalized=[False, True], no_punct=[False, True], asian_support=[False, True],
                case_sensitive=[False, True])


def build(metric, options):
    o = dict(options)
    if metric == "bleu":
        names = {"smooth": "smooth_method", "max_order": "max_ngram_order"}
        return BLEU(force=True, **{names.get(k, k): v for k, v in o.items()})
    return {"chrf": CHRF, "ter": TER}[metric](**o)


def record(metric, options, score, tool):
    return {"metric": metric, "options": options, "score": float(score.score), "text": str(score),
            "signature": str(tool.get_signature())}


def corpus_cases(data):
    cases = []
    for metric, options_list in (("bleu", BLEU_GRID), ("chrf", CHRF_GRID), ("ter", TER_GRID)):
        for name, options in itertools.product(data, options_list):
            tool = build(metric, options)
            score = tool.corpus_score(data[name]["hyp"], data[name]["refs"])
            cases.append({"corpus": name, **record(metric, options, score, tool)})
    return cases


def sentence_cases(data):
    cases = []
    options_list = ([("bleu", o) for o in grid(smooth=["none", "floor", "add-k", "exp"], effective_order=[False, True])]
                    + [("chrf", {}), ("chrf", {"word_order": 2}), ("ter", {}), ("ter", {"normalized": True})])
    rng = random.Random(3)
    for name, d in data.items():
        for i in rng.sample(range(len(d["hyp"])), min(3, len(d["hyp"]))):
            for metric, options in options_list:
                tool = build(metric, options)
                score = tool.sentence_score(d["hyp"][i], [r[i] for r in d["refs"]])
                cases.append({"corpus": name, "line": i, **record(metric, options, score, tool)})
    return cases


def shift_cases():
    cases = []
    for hyp, refs in shift_pairs():
        tool = TER(case_sensitive=True)
        cases.append({"hyp": hyp, "refs": refs, **record("ter", {"case_sensitive": True},
                                                         tool.sentence_score(hyp, refs), tool)})
    return cases


def variable_references(data):
    """Segments with unequal numbers of references, given to sacreBLEU as None."""
    hyp = data["en"]["hyp"]
    refs = [data["en"]["refs"][0], [r if i % 2 else None for i, r in enumerate(data["en"]["hyp"][::-1])]]
    cases = []
    for metric in ("bleu", "chrf", "ter"):
        tool = build(metric, {})
        cases.append(record(metric, {}, tool.corpus_score(hyp, refs), tool))
    return {"hyp": hyp, "refs": refs, "cases": cases}


def tokenizer_cases(data):
    lines = sorted({line for d in data.values() for lines in [d["hyp"]] + d["refs"] for line in lines})
    rng = random.Random(5)
    picked = rng.sample(lines, 40) + ["..", "...a", "a..b", "1.2.3", "1,2.", ".1", "1-2-3", "--", "5--6", "a-\nb",
                                      "a\n-b", "&amp;quot;", "&quot;&lt;&gt;&amp;", "<skipped>x", "x<skip<skipped>ped>",
                                      "١.٢", "٣،٤", "½.", "x²,y", "$5.00", "¥１，０００", "«a».", "a’s", "'s 's's ", "Σ.",
                                      "1.Ⅷ.2", "。。１。", "a\u0301.\u0301", "{|}~[\\]^_`!\"#$%&()*+:;<=>?@/'"]
    # Not U+31EF: a symbol since Unicode 15.1, so \p{S} depends on the version of the Unicode tables.
    edges = [0x2E80, 0x2EFF, 0x31C0, 0x3200, 0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFAFF, 0xFE30, 0xFE4F,
             0x3001, 0x3002, 0x3008, 0x3011, 0x3014, 0x301F, 0xFF61, 0xFF65, 0x30FB, 0xFF0E, 0xFF09]
    picked.append("x" + "x".join(chr(e + d) for e in edges for d in (-1, 0, 1)))
    picked.append("x" + "x".join(map(chr, range(0x21, 0x7F))))
    out = []
    for line in picked:
        row = {"in": line}
        for name in ("13a", "intl", "char", "none"):
            row[name] = " ".join(_get_tokenizer(name)()(line).split())
        row["tercom"] = [TercomTokenizer(n, p, a, c)(line)
                         for n, p, a, c in itertools.product([False, True], repeat=4)]
        row["lower"] = line.lower()
        out.append(row)
    return out


def significance_cases():
    rng = random.Random(11)
    base = corpus(rng, "en", 40, 2, 5)
    systems = [["baseline", base["hyp"]]]
    for name, strength in (("close", 1), ("worse", 6)):
        systems.append([name, [disturbed(rng, x, "en", rng.randint(0, strength)) for x in base["hyp"]]])
    systems.append(["other", [disturbed(rng, x, "en", rng.randint(0, 5)) for x in base["refs"][0]]])
    out = {"systems": systems, "refs": base["refs"], "intervals": [], "paired": []}
    for metric in ("bleu", "chrf", "ter"):
        tool = build(metric, {})
        score = tool.corpus_score(systems[0][1], base["refs"], n_bootstrap=1000)
        out["intervals"].append({**record(metric, {}, score, tool), "mean": float(score._mean), "ci": float(score._ci)})
    for test, metric in itertools.product(("bs", "ar"), ("bleu", "chrf", "ter")):
        samples = 1000 if test == "bs" else 2000
        run = PairedTest(systems, {metric: build(metric, {})}, base["refs"], test_type=test, n_samples=samples)
        signatures, scores = run()
        name = next(iter(signatures))
        rows = [{"score": float(r.score), "p": None if r.p_value is None else float(r.p_value),
                 "mean": None if r.mean is None else float(r.mean), "ci": None if r.ci is None else float(r.ci)}
                for r in scores[name]]
        out["paired"].append({"test": test, "metric": metric, "samples": samples, "signature": str(signatures[name]),
                              "rows": rows})
    return out


def random_cases():
    out = []
    for seed in (0, 1, 12345, 2 ** 32 + 7):
        row = {"seed": seed}
        for n in (1, 2, 3, 40, 1000, 3_000_000_000):
            row[str(n)] = np.random.default_rng(seed).choice(n, size=12, replace=True).tolist()
        row["bits"] = np.random.default_rng(seed).integers(2, size=70, dtype=bool).astype(int).tolist()
        out.append(row)
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../tests/golden/metrics/sacrebleu.json")
    data = corpora()
    out = {"sacrebleu": sacrebleu.__version__, "corpora": data, "corpus_cases": corpus_cases(data),
           "sentence_cases": sentence_cases(data), "shift_cases": shift_cases(),
           "variable_references": variable_references(data), "tokenizers": tokenizer_cases(data),
           "significance": significance_cases(), "random": random_cases()}
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n")
        for k, (key, value) in enumerate(out.items()):
            if isinstance(value, list):  # one case per line, so that a change can be read
                body = "[\n" + ",\n".join(json.dumps(v, separators=(",", ":")) for v in value) + "\n]"
            else:
                body = json.dumps(value, separators=(",", ":"))
            f.write(f"{json.dumps(key)}: {body}{',' if k + 1 < len(out) else ''}\n")
        f.write("}\n")
    print(f"{path}: {len(out['corpus_cases'])} corpus, {len(out['sentence_cases'])} sentence, "
          f"{len(out['shift_cases'])} shift cases", file=sys.stderr)


if __name__ == "__main__":
    main()
