"""What workloads held of GPUs, made up for tests: so many days, the same on each unless said."""

from datetime import date
from typing import Any

import numpy as np

from costlab.domain.units import GIB
from costlab.jobs.rightsizing.held import Held, Seen

FIRST = date(2026, 11, 2)  # a Monday
DAY_S = 86_400.0


def held(
    busy: float | list[float] = 0.5, days: int = 14, *, hours: float = 24.0, model: str = "NVIDIA A100-SXM4-80GB",
    workload_class: str = "inference", pieces: float | None = None, price: float = 2.5, shared: bool = False,
    cpu_pressed: float = np.nan, throttled: float = np.nan, full_runs: int = 1, usual: float | None = None,
    hourly: np.ndarray | None = None, mig_profile: str = "", samples: float = 1440, day: int = 0, **figures: Any,
) -> Held:  # fmt: skip
    """A pod whose GPUs are this busy (one a list's entry), all day. A figure is a value, or one a day.

    By the engine, at the idle floor of 60 W when nothing runs; SM activity is two thirds of it; 20 of 80 GiB are used.
    """
    levels = busy if isinstance(busy, list) else [busy]
    at, gpu = (grid.ravel() for grid in np.meshgrid(np.arange(days), np.arange(len(levels)), indexing="ij"))
    level = np.array(levels)[gpu]
    lasted = np.full(len(at), hours * 3600)
    told: dict[str, Any] = {
        "told_s": lasted, "observed_s": lasted, "engine_s": lasted, "busy_samples": np.full(len(at), samples),
        **{f"busy_{name}": level for name in ("mean", "p50", "p95", "p99", "max")},
        "sm_active_p95": level * 2 / 3, "sm_active_max": level * 2 / 3, "tensor_active_mean": level / 3,
        "dram_active_mean": level / 3, "memory_max_bytes": 20 * GIB, "memory_min_bytes": 20 * GIB,
        "memory_first_hour_bytes": 10 * GIB, "memory_total_bytes": 80 * GIB, "power_mean_watts": 60 + 300 * level,
    }  # fmt: skip
    values = {
        name: np.repeat(value, len(levels))
        if isinstance(value, list)
        else np.broadcast_to(np.float64(value), len(at))
        for name, value in (told | figures).items()
        if not isinstance(value, np.ndarray)
    } | {name: value for name, value in (told | figures).items() if isinstance(value, np.ndarray)}
    mean = float(np.mean(np.broadcast_to(values["busy_mean"], len(at)))) if days else 0.0
    cost = np.full(days, price * hours * len(levels))
    bucket = np.frombuffer(np.float32(level).tobytes(), np.int32) >> 17
    return Held(
        key=("ns", "Deployment", "w", "app"), team="nlp", workload_class=workload_class, resource="nvidia_com_gpu",
        pieces=float(len(levels)) if pieces is None else pieces, shared=shared,
        day=FIRST.toordinal() + day + np.arange(days), occupied_s=np.full(days, hours * 3600 * len(levels)), cost=cost,
        unused=cost * (1 - mean), cpu_pressed=cpu_pressed, throttled=throttled, full_runs=full_runs, pods=1.0, usual=usual,
        seen=Seen(
            day=FIRST.toordinal() + day + at, gpu=gpu.astype(np.int64), container=np.full(len(at), 7), model=[model] * len(at),
            mig_profile=[mig_profile] * len(at), node=["n1"] * len(at),
            gpu_share=np.ones(len(at)), figures=values, floor_watts=np.full(len(at), 60.0),
            hourly=np.repeat(level.astype(np.float32), 24).reshape(-1, 24) if hourly is None else hourly.astype(np.float32),
            sketches=[(bucket[[i]], np.array([round(hours * 3_600_000)], np.int32)) for i in range(len(at))],
        ),
    )  # fmt: skip
