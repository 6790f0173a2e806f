/* The days up to and including $day, split by what the money bought; days that are not in the lake are there too.
grain: date (one row for each of $days calendar days)
inputs: day_costs, same_weekdays
params: cluster, day, days
units: *_cost in currency; coverage is a ratio
status is missing, with nulls for the money, where the lake holds no such day: missing is never zero.
usual_cost is the mean of the complete same weekdays of the four weeks before, null when there is none.
*/
with calendar as (
    select cast($day as date) - cast(days.ago as integer) as date
    from range(cast($days as integer)) as days (ago)
),

usual as (
    select
        same_weekdays.date,
        cast(avg(reference.total_cost) as decimal(18, 6)) as usual_cost
    from same_weekdays
    inner join day_costs as reference
        on reference.cluster = same_weekdays.cluster
        and reference.date = same_weekdays.reference_date
    where same_weekdays.cluster = $cluster
        and same_weekdays.date > cast($day as date) - cast($days as integer)
        -- the same dates as constants: only their charges are then read
        and reference.date > cast($day as date) - cast($days as integer) - 29
        and reference.date < cast($day as date)
    group by same_weekdays.date
)

select
    calendar.date,
    coalesce(day_costs.status, 'missing') as status,
    day_costs.coverage,
    day_costs.currency,
    day_costs.total_cost,
    day_costs.used_cost,
    day_costs.unused_cost,
    day_costs.unobserved_cost,
    day_costs.idle_cost,
    day_costs.system_cost,
    day_costs.beside_cost,
    usual.usual_cost
from calendar
left join day_costs
    on day_costs.cluster = $cluster
    and day_costs.date = calendar.date
    and day_costs.date > cast($day as date) - cast($days as integer)
    and day_costs.date <= cast($day as date)
left join usual
    on usual.date = calendar.date
order by calendar.date
