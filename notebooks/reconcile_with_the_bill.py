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
# # Do the charges add up, and to what the provider bills?
#
# Two questions. Inside: is every node's price handed out, no more and no less? Outside: is that price what the provider
# billed?

# %%
import costlab

lab = costlab.open("demo")
last = lab.days().iloc[-1]

# %% [markdown]
# ## Inside
#
# For each resource: what nodes cost is what was used, reserved and unused, unobserved, idle, and the system's. A day on
# which this does not hold to a millionth of the currency is not committed.

# %%
lab.query("reconciliation", cluster=last["cluster"], day=str(last["date"]))

# %% [markdown]
# The checks return guilty rows; none means good.

# %%
len(lab.query("node_totals"))

# %% [markdown]
# ## Where the prices come from
#
# `price_source` says for each node whether its unit prices are of a bill, of the price book, of the GPU's model or the
# defaults.

# %%
lab.sql("""
    select price_source, coalesce(gpu_model, '(no GPU)') as gpu_model, count(distinct node) as nodes,
        any_value(cpu_price) as cpu_price, any_value(memory_price) as memory_price, any_value(gpu_price) as gpu_price
    from nodes
    where date = (select max(date) from runs)
    group by price_source, gpu_model
    order by nodes desc
""")

# %% [markdown]
# ## Outside
#
# A bill in the FOCUS format is imported by `costlab bill import`. This one is made up, for three of the demo's nodes and
# three of its days. A lab only reads, so the bill goes into a copy of the lake.

# %%
import shutil
import sys
import tempfile
from pathlib import Path

place = Path(tempfile.mkdtemp())
shutil.copytree(lab.path, place / "lake")
(place / "costlab.yaml").write_text("lake: lake\nclusters: [{id: demo, prometheus: {url: http://prometheus:9090}}]\n")
# !{sys.executable} -m costlab --config {place}/costlab.yaml bill import demo_bill.csv -o json

# %% [markdown]
# Node by node and day: what was billed, what was charged at the prices above, and why they differ. After
# `costlab compute` for those days the nodes are charged at what was billed, and the difference is 0. The bill of your
# provider covers all nodes; `costlab bill reconcile --window 2026-11` shows the same.

# %%
billed = costlab.open(place / "lake").query("bill_reconciliation", cluster="demo", day="2026-11-20", days=3)
billed[billed["billed_cost"].notna()]
