# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How efficient was a training run?
#
# A training job holds GPUs from its first minute to its last. What it pays for is held time; what it gets is busy time.
# This notebook looks at one run on eight GPUs.

# %%
import costlab

lab = costlab.open("demo")
namespace, workload = "nlp", "llm-pretrain"

# %% [markdown]
# ## What it cost
#
# By resource. `cost_unused` of `gpu` is the time in which GPUs were held and not busy.

# %%
lab.sql(
    """
    select resource, any_value(unit) as unit, round(sum(billed_quantity), 1) as billed, sum(cost) as cost,
        sum(cost_used) as cost_used, sum(cost_unused) as cost_unused, sum(cost_unobserved) as cost_unobserved
    from charges
    where namespace = $namespace and workload = $workload
    group by resource
    order by cost desc
    """,
    namespace=namespace,
    workload=workload,
)

# %% [markdown]
# ## Its GPUs
#
# One row a GPU and day. Ranks of one job should be alike: one that is less busy than the others holds them all up, because
# they wait for it. `tensor_active_mean` is how much of the time the tensor cores worked; it is far below `busy_mean` where
# a GPU waits for memory or for data. NaN means that the exporter does not tell.

# %%
lab.sql(
    """
    select gpu_profiles.date, gpus.node, gpus.gpu_index, round(gpu_profiles.observed_s / 3600, 1) as hours,
        round(gpu_profiles.busy_mean, 3) as busy_mean, round(gpu_profiles.busy_p50, 3) as busy_p50,
        round(gpu_profiles.sm_active_p95, 3) as sm_active_p95,
        round(gpu_profiles.tensor_active_mean, 3) as tensor_active_mean,
        round(gpu_profiles.memory_max_bytes / gpu_profiles.memory_total_bytes, 2) as memory_used_ratio,
        round(gpu_profiles.power_mean_watts) as power_mean_watts
    from gpu_profiles
    join gpus
        on gpus.cluster = gpu_profiles.cluster and gpus.date = gpu_profiles.date and gpus.gpu_key = gpu_profiles.gpu_key
    join (select distinct cluster, date, container_key from containers
          where namespace = $namespace and workload = $workload) as owned
        on owned.cluster = gpu_profiles.cluster and owned.date = gpu_profiles.date
        and owned.container_key = gpu_profiles.container_key
    order by gpu_profiles.date desc, gpus.node, gpus.gpu_index
    limit 16
    """,
    namespace=namespace,
    workload=workload,
)

# %% [markdown]
# ## Around it
#
# The same hours on all GPUs of the cluster. The run's node came on 17 November: before that nothing was observed.

# %%
lab.plot.gpus(window="7d")
# %% [markdown]
# ## Did it wait for its CPUs?
#
# A GPU that waits for data is often one whose data loaders lack cores. Usage at the request says so.

# %%
lab.plot.workload(f"{namespace}/{workload}", window="4d", resource="cpu")
