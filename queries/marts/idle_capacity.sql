/* What was paid for within some days and did nothing: idle nodes, and what workloads reserved and did not use.
grain: cluster, kind (idle or unused), node, team, namespace, workload_kind, workload, resource
inputs: charges
params: start, until, cluster, namespace, team
units: quantity in unit (core_hour, gib_hour, gpu_hour); cost in currency. $until is exclusive; '' means all
Idle capacity is given to no pod, so that it has a node and no team; what was reserved and not used has a workload.
cost is only what has a price; rows without any are null. The rows add up: none is inside another.
*/
with wasted as (
    select
        cluster,
        'idle' as kind,
        node,
        null as team,
        null as namespace,
        null as workload_kind,
        null as workload,
        resource,
        unit,
        billed_quantity as quantity,
        cost,
        currency
    from charges
    where kind = 'idle'
        and date >= cast($start as date)
        and date < cast($until as date)
        and ($cluster = '' or cluster = $cluster)
        and $namespace = ''
        and $team = ''
    union all
    select
        cluster,
        'unused' as kind,
        null as node,
        team,
        namespace,
        workload_kind,
        workload,
        resource,
        unit,
        cast(cost_unused as double) / nullif(unit_price, 0) as quantity,
        cost_unused as cost,
        currency
    from charges
    where kind = 'workload'
        and date >= cast($start as date)
        and date < cast($until as date)
        and ($cluster = '' or cluster = $cluster)
        and ($namespace = '' or namespace = $namespace)
        and ($team = '' or team = $team)
)

select
    cluster,
    kind,
    node,
    team,
    namespace,
    workload_kind,
    workload,
    resource,
    unit,
    sum(quantity) as quantity,
    min(currency) as currency,
    sum(cost) as cost
from wasted
group by cluster, kind, node, team, namespace, workload_kind, workload, resource, unit
having coalesce(sum(cost), 1) > 0
order by cost desc nulls last, cluster, kind, node, namespace, workload_kind, workload, resource, team
