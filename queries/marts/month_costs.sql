/* The running total of the day's month up to $day, and of the whole month before.
grain: date (every calendar day of both months, the present one up to $day)
inputs: day_costs
params: cluster, day
units: *_cost in currency
A day that is not in the lake has a null total_cost, adds nothing to running_cost, and counts in missing_days.
*/
with calendar as (
    select cast(unnest(generate_series(
        date_trunc('month', cast($day as date)) - interval 1 month,
        cast($day as date)::timestamp,
        interval 1 day
    )) as date) as date
),

days as (
    select
        calendar.date,
        cast(date_trunc('month', calendar.date) as date) as month,
        day_costs.currency,
        day_costs.total_cost
    from calendar
    left join day_costs
        on day_costs.cluster = $cluster
        and day_costs.date = calendar.date
        and day_costs.date >= date_trunc('month', cast($day as date)) - interval 1 month
        and day_costs.date <= cast($day as date)
)

select
    month,
    date,
    cast(day(date) as integer) as day_of_month,
    currency,
    total_cost,
    cast(sum(total_cost) over running as decimal(18, 6)) as running_cost,
    count(*) over running - count(total_cost) over running as missing_days
from days
window running as (partition by month order by date)
order by date
