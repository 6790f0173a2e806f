/* What each team owed on each of the last $days days.
grain: team, date (only days on which the team owed something)
inputs: workload_costs
params: cluster, day, days
units: total_cost in currency
Whether a date without a row is a zero or a missing day is told by daily_costs.
*/
select
    team,
    date,
    min(currency) as currency,
    cast(sum(total_cost) as decimal(18, 6)) as total_cost
from workload_costs
where cluster = $cluster
    and date > cast($day as date) - cast($days as integer)
    and date <= cast($day as date)
group by team, date
order by team, date
