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
# # What did we spend?
#
# A *lake* is the folder that `costlab nightly` writes: one row a charge, a node, a container and so on, for each day of
# each cluster. This notebook asks one. It begins with a made-up cluster of five teams, which is measured once (some
# 20 seconds) and then kept; write the path of your own lake in its place.

# %%
import costlab

lab = costlab.open("demo")
lab

# %% [markdown]
# ## By team
#
# The last row is the total. What belongs to nobody is named in brackets: `(idle)` was paid for and given to no pod,
# `(system)` is kept back on each node for the system, `(fee)` are fixed amounts such as the control plane's.
#
# `cost_used`, `cost_unused` and `cost_unobserved` are what became of what pods reserved. What was not observed is
# neither used nor unused.

# %%
lab.cost(by="team", window="7d")

# %%
lab.plot.cost(by="team", window="30d")
# %% [markdown]
# ## Who pays for what stood idle?
#
# Nobody, above. It can be shared among the teams by what each spent (`"cost"`), or as much to each (`"even"`). The total
# stays the same to the last cent.

# %%
lab.cost(by="team", window="7d", share_idle="cost")

# %% [markdown]
# ## What changed on the last day?
#
# Against the mean of the same weekday in the four weeks before. The changes add up to the change of the whole.

# %%
last = lab.days().iloc[-1]
lab.query("cost_changes", cluster=last["cluster"], day=str(last["date"]), against="").head(8)

# %% [markdown]
# ## By pipeline, and by run
#
# Pods that Airflow, Kubeflow, Argo or Ray label tell which pipeline and which of its runs they were for.

# %%
costs = lab.cost(by="pipeline,pipeline_run", window="14d")
costs[costs["pipeline"] != "(none)"].head(10)

# %% [markdown]
# ## What would it have cost at other prices?
#
# Only the prices that are named change. Idle capacity is repriced as well: it is paid for all the same.

# %%
lab.what_if({"gpu_hour": 2.0, "gpu_models": {"Tesla T4": 0.4}}, by="team", window="7d")

# %% [markdown]
# ## Anything else
#
# In SQL. `lab.tables()` lists the tables, `lab.describe("charges")` the columns of one with their units.

# %%
# %load_ext costlab

# %%
# %%costlab demo
select date, resource, cast(sum(cost) as decimal(18, 2)) as cost
from charges
where team = 'vision'
group by date, resource
order by date desc, cost desc
limit 6
