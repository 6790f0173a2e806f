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
# # Why this recommendation?
#
# Advice to lower a request is worth following when one can see what it rests on. This notebook looks into the advice for
# one workload: what it used day by day, what it reserves, what is proposed, and how often the proposal would have been too
# small.

# %%
import costlab

lab = costlab.open("demo")
workload = "recsys/ranker"

# %% [markdown]
# ## The advice
#
# `promised_rate` is the share of days on which usage is expected above the proposal, `violation_rate` the share on which
# the same rule was wrong in this workload's own past. `reason` says in one word why this is advised, or why nothing is.
# CPU is in cores, memory in bytes.

# %%
lab.sql(
    """
    select
        container, resource, action, current_request, proposed_request, promised_rate, violation_rate,
        evidence_days, monthly_saving_gross, monthly_saving_net, reason
    from advice
    where namespace || '/' || workload = $workload and date = (select max(date) from runs)
    order by container, resource, action
    """,
    workload=workload,
)

# %% [markdown]
# The saving is told twice: *gross*, at the workload's own prices, and *net*, what really leaves the bill while the node
# stays. On a small cluster a smaller request often frees no whole node, and the net saving is 0.

# %% [markdown]
# ## What it used
#
# The band is from the mean to the highest replica of each hour, the dashed line what one replica requests.

# %%
lab.plot.workload(workload, window="14d", resource="memory")
# %%
lab.plot.workload(workload, window="14d", resource="cpu")
# %% [markdown]
# ## Day by day
#
# Percentiles are weighted by time: p95 is what usage was at or below for 95 % of the day. The maximum is of a single
# sample.

# %%
lab.sql(
    """
    select date, resource, count(*) as replicas, max(p50) as p50, max(p95) as p95, max(max) as max,
        round(sum(observed_s) / sum(occupied_s), 4) as coverage
    from profiles
    where namespace || '/' || workload = $workload
    group by date, resource
    order by resource, date desc
    limit 14
    """,
    workload=workload,
)

# %% [markdown]
# `costlab explain NAMESPACE/WORKLOAD` tells the same in words, step by step, and `costlab patch` writes the change as a
# manifest to review.
