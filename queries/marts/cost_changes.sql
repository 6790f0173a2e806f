/* What made the day dearer or cheaper than usual, the largest change first.
grain: kind, team, namespace, workload_kind, workload, resource
inputs: charges, same_weekdays
params: cluster, day, against
units: *_cost in currency
change_cost adds up to the change of the whole day. There are no rows when there is no day to compare with.
$against: with commas, the dates among the usual ones to compare with; '' is all of them.
change_cost is new_cost + gone_cost + quantity_cost + price_cost, exactly: of a workload (or idle or system capacity)
that owed nothing on the other days, or owes nothing now; else of another quantity at the unit price of those days, and
of another unit price for the quantity of this day.
*/
with reference as (
    select reference_date
    from same_weekdays
    where cluster = $cluster
        and date = cast($day as date)
        and ($against = '' or list_contains(string_split($against, ','), cast(reference_date as varchar)))
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
        0 as usual_cost,
        coalesce(sum(billed_quantity) filter (where cost is not null), 0) as total_quantity,
        0 as usual_quantity,
        count(*) as total_charges,
        0 as usual_charges
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
        coalesce(sum(cost), 0) / (select count(*) from reference) as usual_cost,
        0 as total_quantity,
        coalesce(sum(billed_quantity) filter (where cost is not null), 0)
        / (select count(*) from reference) as usual_quantity,
        0 as total_charges,
        count(*) as usual_charges
    from charges
    where cluster = $cluster
        and date in (select reference_date from reference)
        -- the same dates as constants: only their charges are then read
        and date in (cast($day as date) - 7, cast($day as date) - 14, cast($day as date) - 21, cast($day as date) - 28)
    group by all
),

compared as (
    select
        kind,
        team,
        namespace,
        workload_kind,
        workload,
        resource,
        total_cost,
        usual_cost,
        total_quantity,
        usual_quantity,
        total_charges,
        usual_charges
    from today
    union all
    select
        kind,
        team,
        namespace,
        workload_kind,
        workload,
        resource,
        total_cost,
        usual_cost,
        total_quantity,
        usual_quantity,
        total_charges,
        usual_charges
    from usual
),

summed as (
    select
        kind,
        team,
        namespace,
        workload_kind,
        workload,
        resource,
        cast(sum(total_cost) as decimal(18, 6)) as total_cost,
        cast(sum(usual_cost) as decimal(18, 6)) as usual_cost,
        round(sum(total_quantity), 9) as total_quantity,
        round(sum(usual_quantity), 9) as usual_quantity,
        sum(sum(total_charges)) over of_workload as total_charges,
        sum(sum(usual_charges)) over of_workload as usual_charges
    from compared
    group by kind, team, namespace, workload_kind, workload, resource
    window of_workload as (partition by kind, team, namespace, workload_kind, workload)
),

effects as (
    select
        kind,
        team,
        namespace,
        workload_kind,
        workload,
        resource,
        total_cost,
        usual_cost,
        total_cost - usual_cost as change_cost,
        if(usual_charges = 0, change_cost, 0) as new_cost,
        if(total_charges = 0, change_cost, 0) as gone_cost,
        case
            when 0 in (usual_charges, total_charges) then 0
            when 0 in (usual_quantity, total_quantity) then change_cost
            else cast(cast(usual_cost as double) * (total_quantity / usual_quantity - 1) as decimal(18, 6))
        end as quantity_cost
    from summed
)

select
    kind,
    team,
    namespace,
    workload_kind,
    workload,
    resource,
    total_cost,
    usual_cost,
    change_cost,
    cast(new_cost as decimal(18, 6)) as new_cost,
    cast(gone_cost as decimal(18, 6)) as gone_cost,
    cast(quantity_cost as decimal(18, 6)) as quantity_cost,
    cast(change_cost - new_cost - gone_cost - quantity_cost as decimal(18, 6)) as price_cost
from effects
order by abs(change_cost) desc, kind, team, namespace, workload_kind, workload, resource
