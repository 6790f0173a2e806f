/* What each committed day cost, split by what the money bought.
grain: cluster, date
inputs: runs, charges
params: none
units: *_cost in currency; coverage is a ratio; total_cost is null when nothing on the day had a price
beside_cost is what stands beside the nodes: volumes, network and fees; fee_cost is a part of it.
*/
with split as (
    select
        cluster,
        date,
        min(currency) as currency,
        sum(cost) as total_cost,
        sum(cost_used) as used_cost,
        sum(cost_unused) as unused_cost,
        sum(cost_unobserved) as unobserved_cost,
        sum(cost) filter (where kind = 'idle') as idle_cost,
        sum(cost) filter (where kind = 'system') as system_cost,
        sum(cost) filter (where kind in ('volume', 'network', 'fee')) as beside_cost,
        sum(cost) filter (where kind = 'fee') as fee_cost,
        count(distinct node) filter (where cost is null) as unpriced_nodes
    from charges
    group by cluster, date
)

select
    runs.cluster,
    runs.date,
    runs.status,
    runs.coverage,
    split.currency,
    cast(if(split.date is null, 0, split.total_cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(split.used_cost, 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(split.unused_cost, 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(split.unobserved_cost, 0) as decimal(18, 6)) as unobserved_cost,
    cast(coalesce(split.idle_cost, 0) as decimal(18, 6)) as idle_cost,
    cast(coalesce(split.system_cost, 0) as decimal(18, 6)) as system_cost,
    cast(coalesce(split.beside_cost, 0) as decimal(18, 6)) as beside_cost,
    cast(coalesce(split.fee_cost, 0) as decimal(18, 6)) as fee_cost,
    coalesce(split.unpriced_nodes, 0) as unpriced_nodes
from runs
left join split
    on runs.cluster = split.cluster
    and runs.date = split.date
order by runs.cluster, runs.date
