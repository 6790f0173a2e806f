/* What the imported bill says that each node cost on the day, and for which of its hours.
grain: node, provider_id
inputs: bill_lines
params: cluster, day
units: billed_cost in currency; billed_hours in h, of the node's life within covered_start and covered_end
*/
select
    node,
    provider_id,
    min(covered_start) as covered_start,
    max(covered_end) as covered_end,
    max(billed_hours) as billed_hours,
    cast(sum(cost) as decimal(18, 6)) as billed_cost,
    min(file) as file,
    count(distinct file) as files,
    min(cost_kind) as cost_kind
from bill_lines
where cluster = $cluster
    and date = cast($day as date)
    and node is not null
group by node, provider_id
order by node, provider_id
