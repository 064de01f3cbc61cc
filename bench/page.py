"""Rows as people read them: a line on the terminal, a section of a page."""

import pathlib
import re


def say(row):
    if "skipped" in row:
        return print(f"{row['name']:<24} skipped: {row['skipped']}", flush=True)
    if "ours" not in row:
        return print(f"{row['name']:<24} {row['peer_name']} {row['peer']:9.1f} {row['unit']}", flush=True)
    print(f"{row['name']:<24} ours {row['ours']:9.1f}  {row['peer_name']} {row['peer']:9.1f} {row['unit']}  "
          f"ratio {row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})", flush=True)


def threads_table(done):
    """What the other cores add, for the rows that were measured on one thread too."""
    rows = {r["name"]: r for r in done if "skipped" not in r}
    lines = []
    for name, one in rows.items():
        every = rows.get(name.removesuffix("_1t"))
        if name.endswith("_1t") and every:
            lines.append(f"| {every['name']} | {one['ours']:,.1f} | {every['ours']:,.1f} | {every['ours'] / one['ours']:.2f} "
                         f"| {one['peer']:,.1f} | {every['peer']:,.1f} | {every['peer'] / one['peer']:.2f} |")
    if lines:
        lines = ["", "What more threads add: speeds on one and on all, and how many times the one the other is.", "",
                 "| row | ours, one | ours, all | scaling | peer, one | peer, all | scaling |",
                 "|---|---|---|---|---|---|---|", *lines]
    return lines


def section(done, rounds, cpu, threads):
    """The rows as a section of a page."""
    lines = [f"## {cpu}, {threads} thread{'s' if threads > 1 else ''}", "",
             f"`./x bench peers --rounds {rounds}`; medians, in brackets the least and the most of one round.", "",
             "| row | ours | peer | unit | ratio |", "|---|---|---|---|---|"]
    for r in done:
        if "skipped" in r:
            lines.append(f"| {r['name']} | | | | skipped: {r['skipped']} |")
            continue
        peer = "" if r["peer_name"] == "-" else f"{r['peer']:,.1f} ({r['peer_name']})"
        mine = f"{r['ours']:,.1f}" + (f" ({r['ours_name']})" if "ours_name" in r else "")
        lines.append(f"| {r['name']} | {mine} | {peer} | {r['unit']} | {r['ratio']:.2f} "
                     f"({r['ratio_min']:.2f} to {r['ratio_max']:.2f}) |")
    return "\n".join(lines + threads_table(done)) + "\n"


def write_section(page, text):
    """Replaces the section of the same title, or adds it at the end."""
    page = pathlib.Path(page)
    parts = re.split(r"(?m)^(?=## )", page.read_text() if page.exists() else "# Results of the bench\n\n")
    title = text.splitlines()[0]
    same = [k for k, part in enumerate(parts) if part.splitlines()[:1] == [title]]
    if same:
        parts[same[0]] = text + ("" if same[0] == len(parts) - 1 else "\n")
    else:
        parts[-1] = parts[-1].rstrip("\n") + "\n\n"
        parts.append(text)
    page.write_text("".join(parts))
