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
# # Where is the waste?
#
# Money that was paid and bought nothing is in two places: in pods that reserved more than they used, and on nodes that no
# pod reserved. They are got back in different ways, so they are told apart.

# %%
import costlab

lab = costlab.open("demo")

# %% [markdown]
# ## Reserved and not used
#
# The workloads for which most was reserved and not used. A smaller request gives it back.

# %%
lab.plot.waste(by="workload", window="7d")
# %% [markdown]
# ## Given to nobody
#
# What nodes had and no pod reserved: fewer or smaller nodes give it back.

# %%
lab.sql("""
    select node, resource, round(sum(billed_quantity), 1) as idle_hours, any_value(unit) as unit, sum(cost) as cost
    from charges
    where kind = 'idle' and date > (select max(date) from runs) - 7
    group by node, resource
    order by cost desc
    limit 10
""")

# %% [markdown]
# ## GPUs, hour by hour
#
# A row a GPU. Dark is idle, hatched is time in which nothing was observed, such as before a node came. A GPU that is dark
# for days and belongs to somebody is the dearest waste that there is.

# %%
lab.plot.gpus(window="7d")
# %% [markdown]
# ## What to do about it
#
# The advice of the last night, the largest saving first: what to change, how much it gives back in a month, and how often
# the rule behind it was wrong in this workload's past. `why_this_recommendation` looks into one of them.

# %%
lab.sql("""
    select
        namespace, workload, container, resource, action, current_request, proposed_request,
        monthly_saving_gross, monthly_saving_net, promised_rate, violation_rate
    from advice
    where monthly_saving_gross > 0 and date = (select max(date) from runs)
    order by monthly_saving_gross desc
    limit 10
""")
