/* What the day cost, and what it is compared with.
grain: cluster, date (at most one row)
inputs: day_costs, same_weekdays, runs
params: cluster, day
units: *_cost in currency; coverage is a ratio
usual_cost is the mean of the usual_days complete same weekdays of the four weeks before, null when there is none.
*/
with usual as (
    select
        count(reference.total_cost) as usual_days,
        sum(reference.total_cost) / count(reference.total_cost) as usual_cost
    from same_weekdays
    inner join day_costs as reference
        on reference.cluster = same_weekdays.cluster
        and reference.date = same_weekdays.reference_date
    where same_weekdays.cluster = $cluster
        and same_weekdays.date = cast($day as date)
        -- the same dates as constants: only their charges are then read
        and reference.date >= cast($day as date) - 28
        and reference.date < cast($day as date)
)

select
    today.cluster,
    today.date,
    today.currency,
    today.status,
    today.coverage,
    today.total_cost,
    today.used_cost,
    today.unused_cost,
    today.unobserved_cost,
    today.idle_cost,
    today.system_cost,
    today.beside_cost,
    today.fee_cost,
    today.unpriced_nodes,
    usual.usual_days,
    cast(usual.usual_cost as decimal(18, 6)) as usual_cost,
    before.total_cost as previous_cost,
    (
        select min(runs.date)
        from runs
        where runs.cluster = $cluster
    ) as first_date
from day_costs as today
cross join usual
left join day_costs as before
    on before.cluster = today.cluster
    and before.date = cast($day as date) - 1
    and before.status = 'complete'
where today.cluster = $cluster
    and today.date = cast($day as date)
order by today.cluster, today.date
