/* The imported bills against the charges of nodes, node by node and day, and why they differ.
grain: cluster, date, node (null: no node), service and reason of what no node is billed for
inputs: bill_lines, charges, nodes, runs
params: cluster, day, days
units: *_cost in currency; lines is a count
The window is the `days` days that end with `day`; a null cluster is all of them. Null is: not in the bill, not charged;
difference_cost takes it for 0, so the columns add up: everything billed less everything charged for nodes.
*/
with billed as (
    select
        cluster,
        date,
        node,
        if(node is null, service, null) as service,
        if(node is null, status, null) as status,
        count(*) as lines,
        sum(cost) as billed_cost
    from bill_lines
    where ($cluster is null or cluster = $cluster)
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
    group by all
),

charged as (
    select
        cluster,
        date,
        node,
        sum(cost) as charged_cost
    from charges
    where ($cluster is null or cluster = $cluster)
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
        and kind in ('workload', 'idle', 'system')
    group by cluster, date, node
),

priced as (
    select
        cluster,
        date,
        node,
        bool_or(price_source like 'bill %') as by_bill,
        bool_and(price_source like 'bill %') as wholly_by_bill,
        bool_or(cpu_capacity is null or memory_capacity is null) as capacity_unknown
    from nodes
    where ($cluster is null or cluster = $cluster)
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
    group by cluster, date, node
),

sides as (
    select
        coalesce(billed.cluster, charged.cluster) as cluster,
        coalesce(billed.date, charged.date) as date,
        coalesce(billed.node, charged.node) as node,
        billed.service,
        billed.status,
        coalesce(billed.lines, 0) as lines,
        billed.billed_cost,
        charged.charged_cost
    from billed
    full outer join charged
        on billed.cluster = charged.cluster
        and billed.date = charged.date
        and billed.node = charged.node
)

select
    sides.cluster,
    sides.date,
    sides.node,
    sides.service,
    case
        when sides.node is null and sides.status in ('tax', 'credit') then sides.status
        when sides.node is null and runs.date is null then 'day not measured'
        when sides.node is null and sides.status = 'outside life' then 'outside its life'
        when sides.node is null then 'not in the cluster'
        when sides.billed_cost is null then 'not in the bill'
        when sides.billed_cost < 0 then 'less than nothing'
        when priced.capacity_unknown then 'capacity unknown'
        when sides.billed_cost = sides.charged_cost then 'settled'
        when priced.by_bill and not priced.wholly_by_bill then 'billed for a part of its life'
        else 'before calibration'
    end as reason,
    sides.lines,
    cast(sides.billed_cost as decimal(18, 6)) as billed_cost,
    cast(sides.charged_cost as decimal(18, 6)) as charged_cost,
    cast(
        coalesce(sides.billed_cost, 0) - coalesce(sides.charged_cost, 0) as decimal(18, 6)
    ) as difference_cost
from sides
left join priced
    on sides.cluster = priced.cluster
    and sides.date = priced.date
    and sides.node = priced.node
left join runs
    on sides.cluster = runs.cluster
    and sides.date = runs.date
order by sides.date, sides.cluster, sides.node nulls last, sides.service, reason
