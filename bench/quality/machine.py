"""Where something was measured: the processor, and the versions of what ran."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


PACKAGES = ("torch", "onnxruntime", "numpy", "scikit-learn")


def environment(program=None):
    packages = {name: version_of(name) for name in PACKAGES}
    out = {"cpu": cpu(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
           "python": platform.python_version(), **{k: v for k, v in packages.items() if v}}
    if program:
        said = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
        out["lookback"] = said.strip().splitlines()
    return out


def in_words(env):
    parts = [env["cpu"], f"{env['cores']} cores", *env.get("lookback", [])[:1], f"Python {env['python']}"]
    return ", ".join(parts + [f"{name} {env[name]}" for name in PACKAGES if name in env])


def report(args, env, options, rows, **more):
    """Where it was measured, and all of it as JSON to args.out, if that is given."""
    print(f"\n{in_words(env)}; {args.rounds} rounds; in brackets the least and the most of one round.")
    if args.out:
        what = {"environment": env, "options": dataclasses.asdict(options), "rounds": args.rounds, "rows": rows} | more
        pathlib.Path(args.out).write_text(json.dumps(what, indent=1) + "\n")


def say_floors(rows):
    """What a ratio should not be below, and what it should be."""
    print()
    for row in rows:
        reached = [f"its {bar} is reached" for bar in ("aim", "floor") if row["ratio"] >= row[bar]]
        print(f"{row['name']}: {row['ratio']:.2f}, {(reached or ['TOO LOW'])[0]} (floor {row['floor']:g}, aim {row['aim']:g})")
