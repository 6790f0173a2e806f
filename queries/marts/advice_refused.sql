/* Why nothing is advised on a day: how many times, and what it is that nothing is said of.
grain: reason
inputs: advice
params: cluster, day
units: monthly_cost in currency, null when no price is known
*/
select
    reason,
    count(*) as times,
    sum(monthly_cost) as monthly_cost
from advice
where cluster = $cluster
    and date = cast($day as date)
    and proposed_request is null
    and monthly_saving_gross is null
    and reason <> 'advised'
group by reason
order by times desc, reason
