/* What each team owed on each of the last $days days.
grain: team, date (only days on which the team owed something)
inputs: charges
params: cluster, day, days
units: *_cost in currency
Whether a date without a row is a zero or a missing day is told by daily_costs.
*/
select
    team,
    date,
    min(currency) as currency,
    cast(sum(cost) as decimal(18, 6)) as total_cost,
    cast(coalesce(sum(cost_used), 0) as decimal(18, 6)) as used_cost,
    cast(coalesce(sum(cost_unused), 0) as decimal(18, 6)) as unused_cost,
    cast(coalesce(sum(cost_unobserved), 0) as decimal(18, 6)) as unobserved_cost
from charges
where cluster = $cluster
    and kind in ('workload', 'volume', 'network')
    and date > cast($day as date) - cast($days as integer)
    and date <= cast($day as date)
group by team, date
order by team, date
