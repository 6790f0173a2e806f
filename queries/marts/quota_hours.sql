/* How many hours of each day were measured, of the days up to one: what the percentiles of demand are taken over.
grain: date
inputs: demand
params: cluster, day, days
units: hours
*/
select
    date,
    count(distinct hour) as hours
from demand
where cluster = $cluster
    and date > cast($day as date) - cast($days as integer)
    and date <= cast($day as date)
group by date
order by date
