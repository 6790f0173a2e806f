/* What the imported bill says that each node cost on the day, and for which of its hours.
grain: node, provider_id
inputs: bill_lines, nodes
params: cluster, day
units: billed_cost in currency; billed_hours in h, of the node's life within covered_start and covered_end
Several accounts may bill a node, one after the other: the hours are those of all of them together.
*/
with billed as (
    select
        cluster,
        date,
        node,
        provider_id,
        min(covered_start) as covered_start,
        max(covered_end) as covered_end,
        cast(sum(cost) as decimal(18, 6)) as billed_cost,
        min(file) as file,
        count(distinct file) as files,
        min(cost_kind) as cost_kind
    from bill_lines
    where cluster = $cluster
        and date = cast($day as date)
        and node is not null
    group by cluster, date, node, provider_id
)

select
    billed.node,
    billed.provider_id,
    billed.covered_start,
    billed.covered_end,
    sum(
        epoch_ms(least(nodes."end", billed.covered_end)) - epoch_ms(greatest(nodes.start, billed.covered_start))
    ) / 3600000.0 as billed_hours,
    billed.billed_cost,
    billed.file,
    billed.files,
    billed.cost_kind
from billed
inner join nodes
    on billed.cluster = nodes.cluster
    and billed.date = nodes.date
    and billed.node = nodes.node
    and billed.provider_id = coalesce(nodes.provider_id, '')
    and nodes.start < billed.covered_end
    and nodes."end" > billed.covered_start
group by all
order by billed.node, billed.provider_id
