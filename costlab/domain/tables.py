"""The lake's tables, declared once: documentation, checks, empty tables and SQL views are made from here.

null = does not apply; NaN = not observed; they are not the same.
"""

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """Column types that Delta Lake, Parquet and DuckDB all keep as they are written."""

    TEXT = "string"
    INTEGER = "int64"
    FLOAT = "float64"
    FLOAT32 = "float32"
    INSTANT = "timestamp"  # microseconds, UTC
    DATE = "date"
    MONEY = "decimal(18, 6)"
    MAP = "map(string, string)"
    TEXTS = "list(string)"
    INTEGERS = "list(int32)"
    FLOATS = "list(float32)"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `null` says what a null means there; an empty text means that it is never null."""

    name: str
    type: Type
    unit: str
    doc: str
    null: str = ""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: what a row is, its columns, and the order (a total one) in which rows are stored."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    sort: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, partition columns first."""
        return tuple(column.name for column in self.columns)


PARTITION = ("cluster", "date")

# Kept as they were imported, day measured or not; `runs` vouches for every other table of a day.
IMPORTED = frozenset({"bills"})

_T, _I, _F, _F32 = Type.TEXT, Type.INTEGER, Type.FLOAT, Type.FLOAT32
_AT, _MONEY, _MAP = Type.INSTANT, Type.MONEY, Type.MAP


def _table(name: str, grain: str, sort: tuple[str, ...], *columns: Column) -> TableSpec:
    partition = (
        Column("cluster", _T, "", "The cluster's id in the configuration."),
        Column("date", Type.DATE, "", "The day in the lake's time zone."),
    )
    return TableSpec(name, grain, (*partition, *columns), sort)


_CONTAINER_KEY = Column("container_key", _I, "", "Stable 63-bit key of a container of one pod.")
_NODE = Column("node", _T, "", "Node name.")
_WORKLOAD = (
    Column("namespace", _T, "", "Namespace."),
    Column("workload_kind", _T, "", "Kind of the top owner: Deployment, StatefulSet, CronJob, … or Pod."),
    Column("workload", _T, "", "Name of the top owner; the pod's own name where it has none."),
    Column("pod", _T, "", "Pod name."),
)
_OWNER = (
    Column("team", _T, "", "Owner by labels or configuration; `unallocated` where nothing names one."),
    Column("class", _T, "", "training, inference, notebook, batch or service."),
    Column(
        "pipeline",
        _T,
        "",
        "Pipeline (Airflow DAG, Kubeflow, Argo, Ray) the pod ran for.",
        null="not part of one",
    ),
    Column("pipeline_task", _T, "", "The task of it.", null="not part of one, or not told"),
    Column(
        "pipeline_run", _T, "", "The run of it, as its engine names it.", null="not part of one, or not told"
    ),
)

_CONTAINER_USAGE = _table(
    "container_usage",
    "a stretch of time in which a container's usage was observed, and constant",
    ("container_key", "ts"),
    _CONTAINER_KEY,
    Column("ts", _AT, "", "Start of the stretch."),
    Column("dt_s", _F32, "s", "Its length."),
    Column(
        "cpu_cores",
        _F32,
        "cores",
        "CPU used, as a rate between two samples of the counter. NaN: not observed.",
    ),
    Column(
        "memory_bytes", _F32, "bytes", "Working set, held from its sample to the next. NaN: not observed."
    ),
)
_GPU_USAGE = _table(
    "gpu_usage",
    "a stretch of time in which a GPU (or MIG instance) was observed, and constant",
    ("gpu_key", "container_key", "ts"),
    Column("gpu_key", _I, "", "Stable 63-bit key of a GPU or MIG instance."),
    Column(
        "container_key", _I, "", "The container the exporter names as its user.", null="no container is named"
    ),
    Column("ts", _AT, "", "Start of the stretch."),
    Column("dt_s", _F32, "s", "Its length."),
    Column("busy_ratio", _F32, "ratio", "Engine-active ratio, else utilisation/100. NaN: not observed."),
    Column("memory_used_bytes", _F, "bytes", "Framebuffer memory in use. NaN: not observed."),
    Column("power_watts", _F32, "W", "Power draw. NaN: not observed."),
)
_CONTAINERS = _table(
    "containers",
    "a container's occupancy of a node; a new row when its requests change",
    ("container_key", "start"),
    _CONTAINER_KEY,
    Column("pod_uid", _T, "", "The pod's uid; empty where the source has none."),
    *_WORKLOAD,
    Column(
        "container",
        _T,
        "",
        "Container name; empty for what init containers and overhead reserve beyond the rest.",
    ),
    _NODE,
    *_OWNER,
    Column("labels", _MAP, "", "The pod's labels that kube-state-metrics is allowed to expose."),
    Column("start", _AT, "", "From when (within the day) it occupied the node with these requests."),
    Column("end", _AT, "", "Until when, exclusive."),
    Column("cpu_request", _F, "cores", "CPU request.", null="none set"),
    Column("memory_request", _F, "bytes", "Memory request.", null="none set"),
    Column("gpu_request", _F, "pieces", "GPUs, GPU shares or MIG instances requested.", null="none"),
    Column("cpu_limit", _F, "cores", "CPU limit.", null="none set"),
    Column("memory_limit", _F, "bytes", "Memory limit.", null="none set"),
    Column("gpu_resource", _T, "", "The GPU resource's name, such as nvidia_com_gpu.", null="no GPU"),
    Column("gpu_share", _F, "physical GPUs", "What the request occupies in physical GPUs.", null="no GPU"),
    Column("restarts", _I, "", "How often it was started anew in that time.", null="not exposed"),
    Column("oom_kills", _I, "", "How often because it was killed for want of memory.", null="not exposed"),
    Column(
        "cpu_periods",
        _F,
        "periods",
        "Periods of its CPU limit in which it ran. NaN: not observed.",
        null="no CPU limit",
    ),
    Column(
        "cpu_throttled_periods",
        _F,
        "periods",
        "Those of them in which it was throttled. NaN: not observed.",
        null="no CPU limit",
    ),
)
_NODES = _table(
    "nodes",
    "a node's life on the day; a new row when its capacity, model or unit prices change",
    ("node", "start"),
    _NODE,
    Column("start", _AT, "", "From when (within the day)."),
    Column("end", _AT, "", "Until when, exclusive."),
    Column("cpu_capacity", _F, "cores", "Capacity.", null="not exposed"),
    Column("memory_capacity", _F, "bytes", "Capacity.", null="not exposed"),
    Column("gpu_capacity", _F, "physical GPUs", "Capacity; a shared GPU counts once.", null="not exposed"),
    Column("cpu_allocatable", _F, "cores", "What pods can be given.", null="not exposed"),
    Column("memory_allocatable", _F, "bytes", "What pods can be given.", null="not exposed"),
    Column("gpu_allocatable", _F, "physical GPUs", "What pods can be given.", null="not exposed"),
    Column("gpu_model", _T, "", "GPU model.", null="no GPU, or unknown"),
    Column("labels", _MAP, "", "The node's labels that kube-state-metrics is allowed to expose."),
    Column("capacity_type", _T, "", "spot or on-demand.", null="unknown"),
    Column(
        "provider_id",
        _T,
        "",
        "The node's name at its provider, such as aws:///eu-central-1a/i-0abc.",
        null="not exposed",
    ),
    Column("cpu_price", _F, "currency per core-hour", "Unit price.", null="no price known"),
    Column("memory_price", _F, "currency per GiB-hour", "Unit price.", null="no price known"),
    Column("gpu_price", _F, "currency per GPU-hour", "Unit price.", null="no price known"),
    Column(
        "price_source",
        _T,
        "",
        "Where the unit prices come from: a bill, a price-book rule, the GPU model, or the defaults.",
    ),
    Column("cpu_cost", _MONEY, "currency", "Capacity × unit price × life.", null="capacity or price unknown"),
    Column(
        "memory_cost", _MONEY, "currency", "Capacity × unit price × life.", null="capacity or price unknown"
    ),
    Column("gpu_cost", _MONEY, "currency", "Capacity × unit price × life.", null="capacity or price unknown"),
)
_GPUS = _table(
    "gpus",
    "a GPU (or MIG instance) on the day",
    ("gpu_key",),
    Column("gpu_key", _I, "", "Stable 63-bit key of a GPU or MIG instance."),
    Column("uuid", _T, "", "The device's UUID; empty where the exporter gives none."),
    Column("gpu_index", _T, "", "The device's number on its node.", null="not exposed"),
    Column("mig_profile", _T, "", "MIG profile such as 1g.10gb.", null="not a MIG instance"),
    Column("model", _T, "", "Model name.", null="not exposed"),
    _NODE,
    Column("gpu_share", _F, "physical GPUs", "1; of a MIG instance its slices / those of a whole device."),
    Column("observed_hours", _F, "h", "Time in which its busy ratio was observed."),
    Column("allocated_hours", _F, "h", "Observed time in which the exporter named a container as its user."),
    Column("busy_mean", _F, "ratio", "Mean busy ratio over observed time. NaN: never observed."),
    Column("busy_p95", _F, "ratio", "95th percentile (nearest rank, time-weighted). NaN: never observed."),
    Column("busy_max", _F, "ratio", "Maximum. NaN: never observed."),
    Column("memory_max_bytes", _F, "bytes", "Most framebuffer memory in use. NaN: never observed."),
    Column("memory_total_bytes", _F, "bytes", "Used and free framebuffer memory. NaN: never observed."),
    Column(
        "energy_kwh",
        _F,
        "kWh",
        "Energy over the observed part, by its counter or its power. NaN: never observed.",
    ),
)
_GPU_PROFILES = _table(
    "gpu_profiles",
    "what a GPU (or MIG instance) did for a user on the day",
    ("gpu_key", "container_key"),
    Column("gpu_key", _I, "", "Stable 63-bit key of a GPU or MIG instance."),
    Column("container_key", _I, "", "The container that the exporter names as its user.", null="none is named"),
    Column("told_s", _F, "s", "Time in which the exporter told anything of it with this user."),
    Column("observed_s", _F, "s", "Time in which its busy ratio was observed."),
    Column("engine_s", _F, "s", "The part of it in which that was the engine-active ratio, not utilisation."),
    Column("busy_samples", _I, "", "Stretches in which the busy ratio was observed."),
    *(Column(f"busy_{name}", _F, "ratio", f"{doc} busy ratio over observed time. NaN: never observed.")
      for name, doc in (("mean", "Mean"), ("p50", "Median"), ("p95", "95th percentile of the"),
                        ("p99", "99th percentile of the"), ("max", "Maximum"))),
    Column("busy_sketch_buckets", Type.INTEGERS, "", "Levels of the busy ratio that were seen: as in `profiles`."),
    Column("busy_sketch_ms", Type.INTEGERS, "ms", "Time at each of them."),
    Column("busy_hourly_max", Type.FLOATS, "ratio", "Maximum in each hour of the local clock, 0 to 23. NaN: not observed."),
    Column("sm_active_p95", _F, "ratio", "95th percentile of SM activity. NaN: never observed."),
    Column("sm_active_max", _F, "ratio", "Maximum of SM activity. NaN: never observed."),
    Column("tensor_active_mean", _F, "ratio", "Mean activity of the tensor pipe. NaN: never observed."),
    Column("dram_active_mean", _F, "ratio", "Mean activity of the memory's interface. NaN: never observed."),
    Column("memory_max_bytes", _F, "bytes", "Most framebuffer memory in use. NaN: never observed."),
    Column("memory_min_bytes", _F, "bytes", "Least framebuffer memory in use. NaN: never observed."),
    Column("memory_first_hour_bytes", _F, "bytes", "Most of it in the first hour of the day with this user. NaN: as above."),
    Column("memory_total_bytes", _F, "bytes", "Used and free framebuffer memory. NaN: never observed."),
    *(Column(f"power_{name}_watts", _F, "W", f"{doc} power draw over observed time. NaN: never observed.")
      for name, doc in (("mean", "Mean"), ("min", "Minimum"), ("max", "Maximum"))),
)  # fmt: skip
_ENERGY = _table(
    "energy",
    "the energy of a container on a node on the day, or of what nobody used there, as one source measured it",
    ("source", "node", "namespace", "pod", "pod_uid", "container"),
    Column("source", _T, "", "gpu (the devices' own meters) or kepler (CPU packages and DRAM)."),
    Column("node", _T, "", "Node name.", null="not exposed"),
    *(Column(c.name, c.type, c.unit, c.doc, null="nobody's") for c in _WORKLOAD),
    Column("pod_uid", _T, "", "The pod's uid.", null="nobody's"),
    Column("container", _T, "", "Container name.", null="nobody's"),
    *(Column(c.name, c.type, c.unit, c.doc, null=c.null or "nobody's") for c in _OWNER),
    Column("energy_kwh", _F, "kWh", "Energy over the observed part. NaN: never observed."),
    Column("occupied_hours", _F, "h", "Time of occupancy; of a container with several GPUs, that often.",
           null="nobody's"),
    Column("coverage", _F, "ratio", "Observed time / that time.", null="nobody's"),
)  # fmt: skip
_PODS = _table(
    "pods",
    "a pod's occupancy of a node, and what it has beside its containers",
    ("namespace", "pod", "pod_uid", "start"),
    *_WORKLOAD,
    Column("pod_uid", _T, "", "The pod's uid; empty where the source has none."),
    _NODE,
    *_OWNER,
    Column("start", _AT, "", "From when (within the day) it occupied the node."),
    Column("end", _AT, "", "Until when, exclusive."),
    Column("claims", Type.TEXTS, "", "The PersistentVolumeClaims that it mounts."),
    Column("network", _T, "", "`host` on its node's network, else `pod`.", null="not exposed"),
    Column("sent_bytes", _F, "bytes", "Sent over the observed part of its time. NaN: not observed.",
           null="traffic has no price and was not read, or it is on its node's network"),
    Column("sent_coverage", _F, "ratio", "The observed part of its time.", null="as sent_bytes"),
)  # fmt: skip
_VOLUMES = _table(
    "volumes",
    "a claim with a volume on the day; a new row when its size changes, or it is made anew",
    ("namespace", "claim", "start"),
    Column("namespace", _T, "", "Namespace."),
    Column("claim", _T, "", "PersistentVolumeClaim name."),
    Column("volume", _T, "", "PersistentVolume name; empty where it is not told."),
    Column("start", _AT, "", "From when (within the day) the claim was bound to the volume."),
    Column("end", _AT, "", "Until when, exclusive."),
    Column("class", _T, "", "StorageClass.", null="none named"),
    Column("team", _T, "", "Owner of the namespace: who pays while no pod mounts the volume."),
    Column("requested_bytes", _F, "bytes", "Requested size.", null="not exposed"),
    Column("used_bytes", _F, "bytes", "Most bytes in use. NaN: not observed."),
    Column("mounted_hours", _F, "h", "Time with at least one mounting pod."),
    Column("price", _F, "currency per GiB-hour", "Unit price of its class, else the default.", null="no price known"),
    Column("cost", _MONEY, "currency", "Size × unit price × time.", null="size or price unknown"),
)  # fmt: skip
_AUTOSCALERS = _table(
    "autoscalers",
    "a metric that a HorizontalPodAutoscaler scales by on the day",
    ("namespace", "autoscaler", "metric", "target_type"),
    Column("namespace", _T, "", "Namespace."),
    Column("autoscaler", _T, "", "HorizontalPodAutoscaler name."),
    Column("workload_kind", _T, "", "Kind of the workload that it scales."),
    Column("workload", _T, "", "Name of the workload that it scales."),
    Column("metric", _T, "", "cpu, memory or another metric's name.", null="not exposed"),
    Column("target_type", _T, "", "utilization (of the request), average or value.", null="not exposed"),
    Column(
        "target", _F, "ratio for utilization, else cores or bytes", "What it aims at.", null="not exposed"
    ),
)
_QUOTAS = _table(
    "quotas",
    "a key of a ResourceQuota on the day",
    ("namespace", "quota", "resource"),
    Column("namespace", _T, "", "Namespace."),
    Column("quota", _T, "", "ResourceQuota name."),
    Column("resource", _T, "", "The key as Kubernetes writes it, such as requests.nvidia.com/gpu."),
    Column("hard", _F, "cores, bytes or pieces", "The limit, as it was told last on the day."),
    Column("used_mean", _F, "cores, bytes or pieces", "Mean use. NaN: not observed."),
    Column("used_max", _F, "cores, bytes or pieces", "Most used. NaN: not observed."),
)
_OF_NAMESPACES = dict.fromkeys(("namespace", "team"), "idle, system or fee")
_OF_PODS = "idle, system, fee, or a volume while no pod mounts it"
_UNDIVIDED = "not kind workload, or no price known"
_CHARGES = _table(
    "charges",
    "a charge: who owes what for one resource on the day, or what nobody used of a node's",
    ("kind", "resource", "node", "namespace", "pod", "pod_uid", "container", "item"),
    Column("kind", _T, "", "workload, idle and system (of nodes), volume, network or fee."),
    Column("resource", _T, "", "cpu, memory, gpu, storage, network or fee."),
    Column("node", _T, "", "The node whose price it is a part of.", null="volume, network or fee"),
    *(Column(c.name, c.type, c.unit, c.doc, null=_OF_NAMESPACES.get(c.name, _OF_PODS)) for c in _WORKLOAD),
    Column("pod_uid", _T, "", "The pod's uid.", null=_OF_PODS),
    Column("container", _T, "", "Container name; empty for what the pod reserves beyond its containers.",
           null="not kind workload"),
    Column("item", _T, "", "What is charged beside nodes: the claim of a volume, the name of a fee.",
           null="not kind volume or fee"),
    *(Column(c.name, c.type, c.unit, c.doc, null=c.null or _OF_NAMESPACES.get(c.name, _OF_PODS)) for c in _OWNER),
    Column("unit", _T, "", "Unit of the quantities: core_hour, gib_hour, gpu_hour, gib or hour."),
    Column("requested_quantity", _F, "`unit`", "Requested over the time that is charged.",
           null="idle, system, network or fee"),
    Column("used_quantity", _F, "`unit`", "Used over the observed part of that time. NaN: never observed.",
           null="idle, system, volume or fee"),
    Column("billed_quantity", _F, "`unit`", "What the charge is for."),
    Column("unit_price", _F, "currency per `unit`", "Mean unit price, weighted by what was billed.",
           null="no price known"),
    Column("cost", _MONEY, "currency", "The charge.", null="no price known"),
    Column("cost_used", _MONEY, "currency", "The part that was used.", null=_UNDIVIDED),
    Column("cost_unused", _MONEY, "currency", "Paid for and not used.", null=_UNDIVIDED),
    Column("cost_unobserved", _MONEY, "currency", "The part whose usage was not observed.", null=_UNDIVIDED),
    Column("currency", _T, "", "Currency of all money in the row."),
    Column("coverage", _F, "ratio", "Observed time / time that is charged.", null="idle, system, volume or fee"),
)  # fmt: skip
_PROFILES = _table(
    "profiles",
    "the usage profile of a container and resource on the day",
    ("container_key", "resource"),
    _CONTAINER_KEY,
    *_WORKLOAD,
    Column("container", _T, "", "Container name."),
    Column("resource", _T, "", "cpu or memory."),
    Column("occupied_s", _F, "s", "Time of occupancy."),
    Column("observed_s", _F, "s", "Time in which usage was observed."),
    *(Column(f"{name}", _F, "cores or bytes", f"{doc} over observed time. NaN: never observed.")
      for name, doc in (("mean", "Mean"), ("p50", "Median"), ("p90", "90th percentile"), ("p95", "95th percentile"),
                        ("p99", "99th percentile"), ("max", "Maximum"))),
    Column("hourly_max", Type.FLOATS, "cores or bytes",
           "Maximum in each hour of the local clock, 0 to 23. NaN: not observed."),
    Column("throttled_ratio", _F, "ratio", "Throttled CPU periods / all periods. NaN: no period was observed.",
           null="no CPU limit, or memory"),
    Column("oom_kills", _I, "", "Out-of-memory kills.", null="not exposed"),
    Column("restarts", _I, "", "Container restarts.", null="not exposed"),
    Column("sketch_buckets", Type.INTEGERS, "", "Levels of usage that were seen, rising, 64 to an octave: docs/methods.md."),
    Column("sketch_ms", Type.INTEGERS, "ms", "Time at each of them; sketches are merged by adding it."),
)  # fmt: skip
_STATISTICS = (("max", "Maximum"), ("mean", "Mean"))
_DEMAND = _table(
    "demand",
    "a namespace's demand for a resource in one hour",
    ("namespace", "resource", "hour"),
    Column("namespace", _T, "", "Namespace."),
    Column("resource", _T, "", "cpu, memory, a GPU resource as Kubernetes writes it, pods, storage, CLASS.storageclass.storage."
           "k8s.io/storage or persistentvolumeclaims."),
    Column("hour", _AT, "", "Start of the hour; in an hour without a row nothing was asked for."),
    *(Column(f"requests_{stat}", _F, "cores, bytes or pieces", f"{doc} over the hour's cells of what all ask for together.")
      for stat, doc in _STATISTICS),
    *(Column(f"limits_{stat}", _F, "cores or bytes", f"{doc} over the hour's cells of all limits that are set.",
             null="not cpu or memory") for stat, doc in _STATISTICS),
    *(Column(f"usage_{stat}", _F, "cores, bytes or pieces", f"{doc} over the hour's cells of what was seen to be used. NaN: "
             "not observed.", null="pods and claims") for stat, doc in _STATISTICS),
    Column("usage_coverage", _F, "ratio", "Observed time / time of occupancy.", null="as usage_max"),
)  # fmt: skip
_ADVICE = _table(
    "advice",
    "what is advised for a container of a workload, or why nothing is",
    ("namespace", "workload_kind", "workload", "container", "resource", "action"),
    *_WORKLOAD[:3],
    Column("container", _T, "", "Container name."),
    Column("resource", _T, "", "cpu, memory or gpu."),
    Column("action", _T, "", 'request, or what else is asked for: docs/methods.md, "Advice".'),
    *_OWNER[:2],
    Column("replicas", _F, "containers", "How many of it ran at a time, on average over the window."),
    Column("current_request", _F, "cores, bytes or pieces", "Request now.", null="none set"),
    Column("proposed_request", _F, "cores, bytes or pieces", "Proposed request.", null="no advice: see reason"),
    Column("current_limit", _F, "cores, bytes or pieces", "Limit now.", null="none set"),
    Column("proposed_limit", _F, "cores, bytes or pieces", "Proposed limit.", null="none is to be set, or no advice"),
    Column("reason", _T, "", "Why this is proposed, or why nothing is."),
    Column("evidence", _T, "", "measured, indicated or refused: how well it is founded."),
    Column("policy", _T, "", "The rule behind it, with what it chose."),
    Column("evidence_days", _I, "days", "Days of usage behind it."),
    Column("coverage", _F, "ratio", "Observed time / time of occupancy in those days."),
    Column("violation_rate", _F, "ratio", "Share of past days on which the rule's advice was exceeded.",
           null="not backtested"),
    Column("promised_rate", _F, "ratio", "Share of days on which it may be exceeded from now on.",
           null="nothing is promised"),
    Column("monthly_cost", _MONEY, "currency", "What a month of 730 hours like those days costs.", null="no price known"),
    Column("monthly_saving_gross", _MONEY, "currency", "At the workload's own unit prices; below 0: it costs more.",
           null="no advice, or no price known"),
    Column("monthly_saving_net", _MONEY, "currency", "Without what idle capacity cannot give back.",
           null="no advice, or no price known"),
    Column("currency", _T, "", "Currency of all money in the row."),
    Column("facts", _MAP, "", "What else the words need, as text: hours idle, the MIG profile, the missing field."),
)  # fmt: skip
_QUOTA_ADVICE = _table(
    "quota_advice",
    "a key of a namespace's ResourceQuota, and what it should allow",
    ("namespace", "resource"),
    Column("namespace", _T, "", "Namespace."),
    Column("resource", _T, "", "The key as Kubernetes writes it, such as requests.nvidia.com/gpu."),
    Column("quotas", Type.TEXTS, "", "Names of the ResourceQuotas that have the key; none of them: empty."),
    Column("spelled", Type.TEXTS, "", "How each of them writes the key: cpu is requests.cpu."),
    Column("hard_now", _F, "cores, bytes or pieces", "The present limit, the least where several quotas have the key.",
           null="no quota has it"),
    Column("used_now", _F, "cores, bytes or pieces", "The most that was asked for at a time on the day."),
    Column("used_p99", _F, "cores, bytes or pieces", "99th percentile of what was asked for at a time, over the window's hours."),
    Column("used_peak", _F, "cores, bytes or pieces", "The most that was asked for at a time in the window."),
    Column("expected_peak", _F, "cores, bytes or pieces", "The most that is expected within the horizon.",
           null="too few days for a forecast"),
    Column("suggested_hard", _F, "cores, bytes or pieces", "The suggested limit."),
    Column("suggested_after", _F, "cores, bytes or pieces", "What would do once the requests that are advised are made.",
           null="none are advised there"),
    Column("exhausted_on", Type.DATE, "", "The first day on which more than the present limit is expected.",
           null="not within the horizon, or no quota"),
    Column("exhausted_earliest", Type.DATE, "", "The first day on which it may be: by the upper bound of the forecast.",
           null="not within the horizon, or no quota"),
    Column("reason", _T, "", 'Why: docs/methods.md, "Quotas".'),
    Column("evidence_days", _I, "days", "Measured days of the window."),
)  # fmt: skip
_BILLS = _table(
    "bills",
    "what an imported bill charges a resource on the day, whether or not it is a node",
    ("billing_account", "billing_start", "resource_id", "resource_name", "service", "category", "charge_class", "start"),
    Column("billing_account", _T, "", "FOCUS BillingAccountId."),
    Column("billing_start", _AT, "", "FOCUS BillingPeriodStart: of the period that the charge is invoiced in."),
    Column("resource_id", _T, "", "FOCUS ResourceId.", null="not told"),
    Column("resource_name", _T, "", "FOCUS ResourceName.", null="not told"),
    Column("service", _T, "", "FOCUS ServiceName.", null="not told"),
    Column("category", _T, "", "FOCUS ChargeCategory: Usage, Purchase, Tax, Credit or Adjustment."),
    Column("charge_class", _T, "", "FOCUS ChargeClass: Correction, of a bill that was closed before.",
           null="no correction"),
    Column("start", _AT, "", "From when (within the day) the charge is for."),
    Column("end", _AT, "", "Until when, exclusive."),
    Column("cost", _MONEY, "currency", "Its share of the charge, by time where the charge is for longer than the day."),
    Column("cost_kind", _T, "", "The column it is from: EffectiveCost or BilledCost."),
    Column("currency", _T, "", "FOCUS BillingCurrency."),
    Column("file", _T, "", "The name of the file it was imported from."),
)  # fmt: skip
_FINDINGS = _table(
    "findings",
    "something a person should know about the day",
    ("rule", "subject"),
    Column("rule", _T, "", "Name of the rule that found it."),
    Column("severity", _T, "", "info, warning or error."),
    Column("subject", _T, "", "What it is about."),
    Column("message", _T, "", "What was found."),
    Column("amount", _MONEY, "currency", "The money concerned.", null="none"),
)
_RUNS = _table(
    "runs",
    "a committed day",
    (),
    Column("status", _T, "", "complete, or incomplete (coverage below the threshold)."),
    Column(
        "coverage", _F, "ratio", "Observed time / time of occupancy over all containers and their resources."
    ),
    Column("signals", _MAP, "", "Samples read of each signal."),
    Column("signal_coverage", _MAP, "ratio", "Observed time / time of occupancy of cpu, memory and gpu."),
    Column(
        "scrape_interval_s",
        _MAP,
        "s",
        "Usual time between two samples of a series (the median), replicas united, for each signal that shows one.",
    ),
    Column("samples", _I, "samples", "Samples read in all."),
    Column("source", _T, "", "Where they came from: product and version."),
    Column("engine", _T, "", "How they were read."),
    Column("limits", _MAP, "", "The server's flags that bound a query, as far as it tells them."),
    Column("warnings", Type.TEXTS, "", "What the source or the run warned of."),
    Column("costlab_version", _T, "", "The version that wrote the day."),
    Column("config_hash", _T, "", "SHA-256 of the configuration that shaped the figures."),
    Column("prices_hash", _T, "", "SHA-256 of prices and price book."),
    Column("content", _MAP, "", "SHA-256 of each table's rows."),
    Column(
        "files",
        _MAP,
        "",
        "Each table's data files on the day, joined by newlines; `pruned`: deleted because of their age.",
    ),
    Column("versions", _MAP, "", "Delta version of each table after the day's commit."),
    Column("forced", _T, "", "The reason given for replacing the day by a worse one.", null="not forced"),
    Column(
        "unrecorded",
        _MAP,
        "",
        "Columns that the costlab which wrote the day did not have yet, by table, joined by commas; `*`: the whole table. "
        "`costlab migrate` put NaN or null there, whatever null means elsewhere in the column.",
        null="all were recorded",
    ),
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        _CONTAINER_USAGE, _GPU_USAGE, _CONTAINERS, _PODS, _NODES, _GPUS, _GPU_PROFILES, _ENERGY, _VOLUMES, _AUTOSCALERS, _QUOTAS, _CHARGES,
        _PROFILES, _DEMAND, _ADVICE, _QUOTA_ADVICE, _BILLS, _FINDINGS, _RUNS,
    )
}  # fmt: skip
