"""Parts of benchmarks in processes of their own, so that none has what another loaded, and each its own peak of memory."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def told_by(module: str, *arguments: str) -> dict[str, Any]:
    """What a module of benchmarks/ prints as JSON; {} where it prints nothing. Ends the benchmark where it fails."""
    paths = os.pathsep.join(map(str, (CHECKOUT, CHECKOUT / "benchmarks")))
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{module}: {done.stderr.strip()[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout or "{}")
    return told
