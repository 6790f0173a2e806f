/* What every workload owed for each resource on the day, and beside it what nobody used: together the day's charges.
grain: kind, resource, team, namespace, workload_kind, workload, class, pipeline, fee
inputs: charges
params: cluster, day
units: *_cost in currency; quantities in unit (core_hour, gib_hour, gpu_hour, gib or hour)
total_cost is null where no charge of the row has a price; unpriced_charges counts those that have none. A quantity
is null where it does not apply; used_quantity is also null where usage was never observed.
*/
select
    kind,
    resource,
    team,
    namespace,
    workload_kind,
    workload,
    class,
    pipeline,
    if(kind = 'fee', item, null) as fee,
    min(unit) as unit,
    min(currency) as currency,
    round(sum(requested_quantity), 6) as requested_quantity,
    round(sum(used_quantity) filter (where not isnan(used_quantity)), 6) as used_quantity,
    round(sum(billed_quantity), 6) as billed_quantity,
    cast(sum(cost) as decimal(18, 6)) as total_cost,
    cast(sum(cost_used) as decimal(18, 6)) as used_cost,
    cast(sum(cost_unused) as decimal(18, 6)) as unused_cost,
    cast(sum(cost_unobserved) as decimal(18, 6)) as unobserved_cost,
    count(*) filter (where cost is null) as unpriced_charges
from charges
where cluster = $cluster
    and date = cast($day as date)
group by kind, resource, team, namespace, workload_kind, workload, class, pipeline, fee
order by kind, resource, team, namespace, workload_kind, workload, class, pipeline, fee
