/* The days that say what is usual for a day: the complete ones among the same weekday of the four weeks before.
grain: cluster, date, reference_date
inputs: runs
params: none
units: none
"Usual" is their mean, not their median: means of parts add up to the mean of the whole.
*/
select
    today.cluster,
    today.date,
    earlier.date as reference_date
from runs as today
inner join runs as earlier
    on today.cluster = earlier.cluster
    and today.date - earlier.date in (7, 14, 21, 28)
    and earlier.status = 'complete'
order by today.cluster, today.date, reference_date
