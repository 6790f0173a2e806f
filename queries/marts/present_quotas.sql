/* What ResourceQuotas allow and what is used of it, on the newest day up to one.
grain: cluster, namespace, quota, resource
inputs: quotas, runs
params: cluster, day
units: hard and used in cores, bytes or pieces; used is the most of the day, NaN where it was not observed
*/
with newest as (
    select max(date) as date
    from runs
    where cluster = $cluster
        and date <= cast($day as date)
)

select
    quotas.namespace,
    quotas.quota,
    quotas.resource,
    quotas.hard,
    quotas.used_max as used
from quotas
inner join newest on quotas.date = newest.date
where quotas.cluster = $cluster
order by quotas.namespace, quotas.quota, quotas.resource
