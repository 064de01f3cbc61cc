"""The program as a contender: `lookback bench` that measures when asked. No PyTorch."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def cpu_info(key):
    with open("/proc/cpuinfo") as info:
        return next((line.split(":", 1)[1].strip() for line in info if line.startswith(key)), "")


CPU = cpu_info("model name") or "unknown"


class OnRequest:
    """A process that works, and answers with a line, for each line that it is given."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"bench: {' '.join(map(str, self.process.args))} ended with code {self.process.wait()}")
        return answer

    def peak_mib(self):
        """The most memory that was resident so far."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours(OnRequest):
    def __init__(self, program, work, repeat, threads, *flags):
        super().__init__([program, "bench", work, "--on-request", "--repeat", str(repeat), "--threads", str(threads),
                          *flags])
        self.measure()

    def measure(self):
        return float(self.ask())
