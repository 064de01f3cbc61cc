"""Where something was measured: the processor, and the versions of what ran."""

import importlib.metadata
import os
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


def environment(program):
    said = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
    packages = {name: version_of(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"cpu": cpu(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
            "python": platform.python_version(), **{k: v for k, v in packages.items() if v},
            "lookback": said.strip().splitlines()}


def in_words(env):
    parts = [env["cpu"], f"{env['cores']} cores", env["lookback"][0], f"Python {env['python']}"]
    return ", ".join(parts + [f"{name} {env[name]}" for name in ("torch", "numpy", "scikit-learn") if name in env])
