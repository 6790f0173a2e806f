/* What each team owed on the day, against what is usual for it.
grain: team
inputs: workload_costs, charges, same_weekdays
params: cluster, day
units: *_cost in currency; used_ratio = used / (used + unused), of what was observed; hours and core hours billed
A team that was there on the days compared with and is gone has cost 0. usual_cost is null when there is no such day.
*/
with reference as (
    select reference_date
    from same_weekdays
    where cluster = $cluster
        and date = cast($day as date)
),

today as (
    select
        team,
        min(currency) as currency,
        count(distinct row(namespace, workload_kind, workload)) filter (where workload <> '') as workloads,
        sum(total_cost) as total_cost,
        sum(used_cost) as used_cost,
        sum(unused_cost) as unused_cost,
        sum(unobserved_cost) as unobserved_cost,
        sum(unpriced_charges) as unpriced_charges,
        round(coalesce(sum(billed_quantity) filter (where resource = 'gpu'), 0), 6) as gpu_hours,
        round(coalesce(sum(billed_quantity) filter (where resource = 'cpu'), 0), 6) as cpu_core_hours,
        round(coalesce(sum(billed_quantity) filter (where resource = 'memory'), 0), 6) as memory_gib_hours
    from workload_costs
    where cluster = $cluster
        and date = cast($day as date)
    group by team
),

usual as (
    select
        team,
        min(currency) as currency,
        sum(cost) / (select count(*) from reference) as usual_cost
    -- no workload_costs: those of every day between the oldest and the newest would be summed
    from charges
    where cluster = $cluster
        and kind in ('workload', 'volume', 'network')
        and date in (select reference_date from reference)
        -- the same dates as constants: only their charges are then read
        and date in (cast($day as date) - 7, cast($day as date) - 14, cast($day as date) - 21, cast($day as date) - 28)
    group by team
)

select
    coalesce(today.team, usual.team) as team,
    coalesce(today.currency, usual.currency) as currency,
    coalesce(today.workloads, 0) as workloads,
    cast(if(today.team is null, 0, today.total_cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(today.used_cost, 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(today.unused_cost, 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(today.unobserved_cost, 0) as decimal(18, 6)) as unobserved_cost,
    cast(
        if((select count(*) from reference) = 0, null, coalesce(usual.usual_cost, 0)) as decimal(18, 6)
    ) as usual_cost,
    cast(today.used_cost as double) / nullif(cast(today.used_cost + today.unused_cost as double), 0) as used_ratio,
    coalesce(today.gpu_hours, 0) as gpu_hours,
    coalesce(today.cpu_core_hours, 0) as cpu_core_hours,
    coalesce(today.memory_gib_hours, 0) as memory_gib_hours,
    cast(coalesce(today.unpriced_charges, 0) as bigint) as unpriced_charges
from today
full outer join usual
    on today.team = usual.team
order by coalesce(total_cost, 0) desc, coalesce(today.team, usual.team)
