/* What made the day dearer or cheaper than usual, the largest change first.
grain: kind, team, namespace, workload_kind, workload, resource
inputs: charges, same_weekdays
params: cluster, day
units: *_cost in currency
change_cost adds up to the change of the whole day. There are no rows when there is no day to compare with.
*/
with reference as (
    select reference_date
    from same_weekdays
    where cluster = $cluster
        and date = cast($day as date)
),

today as (
    select
        kind,
        coalesce(team, '') as team,
        coalesce(namespace, '') as namespace,
        coalesce(workload_kind, '') as workload_kind,
        coalesce(workload, '') as workload,
        resource,
        coalesce(sum(cost), 0) as total_cost,
        0 as usual_cost
    from charges
    where cluster = $cluster
        and date = cast($day as date)
        and exists (select 1 from reference)
    group by all
),

usual as (
    select
        kind,
        coalesce(team, '') as team,
        coalesce(namespace, '') as namespace,
        coalesce(workload_kind, '') as workload_kind,
        coalesce(workload, '') as workload,
        resource,
        0 as total_cost,
        coalesce(sum(cost), 0) / (select count(*) from reference) as usual_cost
    from charges
    where cluster = $cluster
        and date in (select reference_date from reference)
        -- the same dates as constants: only their charges are then read
        and date >= cast($day as date) - 28
        and date < cast($day as date)
    group by all
),

compared as (
    select kind, team, namespace, workload_kind, workload, resource, total_cost, usual_cost from today
    union all
    select kind, team, namespace, workload_kind, workload, resource, total_cost, usual_cost from usual
)

select
    kind,
    team,
    namespace,
    workload_kind,
    workload,
    resource,
    cast(sum(total_cost) as decimal(18, 6)) as total_cost,
    cast(sum(usual_cost) as decimal(18, 6)) as usual_cost,
    cast(sum(total_cost) as decimal(18, 6)) - cast(sum(usual_cost) as decimal(18, 6)) as change_cost
from compared
group by kind, team, namespace, workload_kind, workload, resource
order by abs(change_cost) desc, kind, team, namespace, workload_kind, workload, resource
