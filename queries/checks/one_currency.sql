/* Days with money in more than one currency: their sums would mean nothing.
grain: cluster, date
inputs: charges
params: none
units: none
*/
select
    cluster,
    date,
    string_agg(distinct currency, ', ' order by currency) as currencies
from charges
group by cluster, date
having count(distinct currency) > 1
order by cluster, date
