"""Two panels on log-log axes, time and memory by the length of the source, as SVG."""

import math

WIDTH, HEIGHT, TOP, BOTTOM = 1040, 480, 112, 58
PANELS = (("seconds", "Processor time of a training step", 78), ("mib", "Peak memory", 588))  # key, title, left edge
PANEL = 388
COLORS = ("#2563eb", "#0f9d76", "#e4572e")
DASHES = ("", "7 5")
INK, SOFT, GRID = "#1f2937", "#6b7280", "#e5e7eb"


def words(key, value):
    """A number of seconds or of mebibytes, short."""
    if key == "mib":
        return f"{value / 1024:g} GiB" if value >= 1024 else f"{value:g} MiB"
    return f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms"


def label(key, value):
    """The same with two or three digits of what was measured."""
    digits = lambda x: round(x, -int(math.floor(math.log10(x))) + 1) if x < 100 else round(x)
    if key == "mib":
        return f"{digits(value / 1024):.1f} GiB" if value >= 1024 else f"{round(value)} MiB"
    return words(key, digits(value)) if value >= 1 else f"{round(1000 * value)} ms"


def text(x, y, content, size=13, color=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{content}</text>')


def ticks(key, low, high):
    """Round numbers from just below the least to just above the most."""
    marks = [2.0 ** k for k in range(40)] if key == "mib" else [m * 10.0 ** k for k in range(-5, 5) for m in (1, 3)]
    first = max(k for k, v in enumerate(marks) if v <= low)
    last = min(k for k, v in enumerate(marks) if v >= high)
    return marks[first:last + 1]


def spread(wanted, gap=15):
    """Heights near the wanted ones, from top to bottom, at least a gap apart."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    out = list(wanted)
    for _ in range(200):
        for a, b in zip(order, order[1:]):
            lack = gap - (out[b] - out[a])
            if lack > 1e-6:
                out[a] -= lack / 2
                out[b] += lack / 2
    return out


def panel(done, scores, names, key, title, left):
    lengths = sorted({r["steps"] for r in done})
    values = [r[key] for r in done]
    marks = ticks(key, min(values), max(values))
    x = lambda n: left + PANEL * math.log(n / lengths[0]) / math.log(lengths[-1] / lengths[0])
    y = lambda v: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(v / marks[0]) / math.log(marks[-1] / marks[0])
    out = [text(left, TOP - 18, title, 15, weight="600")]
    for v in marks:
        out.append(f'<path d="M{left} {y(v):.1f}h{PANEL}" stroke="{GRID}"/>')
        out.append(text(left - 9, y(v) + 4, words(key, v), 12, SOFT, "end"))
    for n in lengths:
        out.append(f'<path d="M{x(n):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        out.append(text(x(n), HEIGHT - BOTTOM + 20, f"{n:,}", 12, SOFT, "middle"))
    out.append(text(left + PANEL / 2, HEIGHT - 14, "source tokens", 12, SOFT, "middle"))
    ends = []
    for color, name in reversed(list(zip(COLORS, names))):
        for dash, score in zip(DASHES, scores):
            line = sorted((r["steps"], r[key]) for r in done if r["name"] == name and r["score"] == score)
            points = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in line)
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2.2"{dashed}/>')
            out += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{"#fff" if dash else color}" stroke="{color}" '
                    'stroke-width="1.6"/>' for n, v in line]
            ends.append((y(line[-1][1]), label(key, line[-1][1]), color))
    for height, (_, content, color) in zip(spread([e[0] for e in ends]), ends):
        out.append(text(left + PANEL + 9, height + 4, content, 12, color))
    return out


def legend(scores, names):
    out, at = [], 78
    for color, name in zip(COLORS, names):
        out.append(f'<path d="M{at} 56h26" stroke="{color}" stroke-width="3"/>')
        out.append(text(at + 33, 60, name, 13))
        at += 60 + 7.1 * len(name)
    at += 20
    for dash, score in zip(DASHES, scores):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        fill = "#fff" if dash else SOFT
        out.append(f'<path d="M{at} 56h34" stroke="{SOFT}" stroke-width="2.2"{dashed}/>'
                   f'<circle cx="{at + 17}" cy="56" r="3" fill="{fill}" stroke="{SOFT}" stroke-width="1.6"/>')
        out.append(text(at + 41, 60, f"{score} attention", 13))
        at += 68 + 7.1 * len(f"{score} attention")
    return out


def drawn(done, scores, names):
    """done: rows with score, name, steps, seconds and mib."""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="system-ui, Helvetica, Arial, sans-serif">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
           text(78, 32, "A training step as the source grows", 19, weight="700")]
    out += legend(scores, names)
    for key, title, left in PANELS:
        out += panel(done, scores, names, key, title, left)
    return "\n".join([*out, "</svg>"]) + "\n"
