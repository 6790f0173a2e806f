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
# # How large should each quota be?
#
# A ResourceQuota that is too small stops work, one that is too large stops nothing. Every night suggests what each key
# should allow, from what was asked for hour by hour and what is expected. Here are the suggestions, when the present
# limits run out, and what other limits would have done.

# %%
import pandas as pd

import costlab

pd.options.display.float_format = "{:,.1f}".format  # bytes are long numbers
lab = costlab.open("demo")
[last] = lab.sql("select cluster, max(date)::text as day from runs group by cluster limit 1").to_dict(
    "records"
)

# %% [markdown]
# ## Now, used, suggested
#
# Those that run out come first. `used_p99`: 99 % of the hours asked for no more. Cores, bytes or pieces, as the key is.

# %%
headroom = lab.query("quota_headroom", **last)
headroom.loc[
    headroom["hard_now"].notna(),
    ["namespace", "resource", "hard_now", "used_now", "used_p99", "used_peak", "suggested_hard", "reason"],
]

# %% [markdown]
# ## When it runs out
#
# `exhausted_on` is the first day on which more than the limit is expected, `exhausted_earliest` the first on which that may
# be. A limit holds demand down, so a forecast near one is too low.

# %%
headroom.loc[
    headroom["exhausted_earliest"].notna(),
    ["namespace", "resource", "hard_now", "used_now", "expected_peak", "exhausted_on", "exhausted_earliest"],
]

# %% [markdown]
# ## After rightsizing
#
# What would do once the requests that are advised are made. The difference is what the advice is worth in quota; it is
# below 0 where the advice is to request more.

# %%
after = headroom.loc[headroom["suggested_after"].notna()]
after.assign(less=after["suggested_hard"] - after["suggested_after"])[
    ["namespace", "resource", "hard_now", "suggested_hard", "suggested_after", "less"]
]

# %% [markdown]
# ## What would have happened
#
# In how many of the measured hours more was asked for at a time than a limit allows: the present one, the suggested one,
# and the suggested one if a tenth or a quarter more had been asked for. What is 0 would have stopped nothing. The suggested
# limit always holds what was asked for in these hours, since it is made from them; whether it holds more is the question.
# Pods that a limit did stop are not in it: they never asked for anything on a node.

# %%
lab.sql(
    """
    select
        advice.namespace,
        advice.resource,
        count(*) as hours_with_demand,
        count(*) filter (where demand.peak > advice.hard_now) as above_now,
        count(*) filter (where demand.peak > advice.suggested_hard) as above_suggested,
        count(*) filter (where demand.peak * 1.1 > advice.suggested_hard) as above_with_a_tenth_more,
        count(*) filter (where demand.peak * 1.25 > advice.suggested_hard) as above_with_a_quarter_more
    from quota_advice as advice
    inner join quota_demand as demand
        on advice.cluster = demand.cluster
        and advice.namespace = demand.namespace
        and advice.resource = demand.key
        and demand.date > advice.date - 30
        and demand.date <= advice.date
    where advice.cluster = $cluster
        and advice.date = cast($day as date)
        and advice.hard_now is not null
    group by advice.namespace, advice.resource
    order by above_now desc, above_with_a_quarter_more desc, advice.namespace, advice.resource
    """,
    **last,
)

# %% [markdown]
# ## What all of them promise
#
# The sum of all limits against what nodes can give to pods. Above 1 more is promised than is there, which is no fault while
# not all of it is asked for at once. `costlab quota -o yaml` writes the suggestions as manifests.

# %%
lab.query("quota_totals", **last)
