/* What was used at most of each claim on each of the last $days days, of claims that are there on $day.
grain: cluster, namespace, claim, date
inputs: volumes
params: cluster, day, days
units: *_bytes in bytes
Days of another volume under the claim's name are not its past. requested_bytes is that of $day; a claim of unknown
size is left out. used_bytes is NaN where it was not observed.
*/
with present as (
    select
        cluster,
        namespace,
        claim,
        arg_max(volume, "end") as volume,
        arg_max(requested_bytes, "end") as requested_bytes
    from volumes
    where cluster = $cluster
        and date = cast($day as date)
    group by cluster, namespace, claim
)

select
    present.cluster,
    present.namespace,
    present.claim,
    volumes.date,
    present.requested_bytes,
    max(volumes.used_bytes) as used_bytes
from present
inner join volumes
    on present.cluster = volumes.cluster
    and present.namespace = volumes.namespace
    and present.claim = volumes.claim
    and present.volume = volumes.volume
where volumes.date > cast($day as date) - cast($days as integer)
    and volumes.date <= cast($day as date)
    and present.requested_bytes > 0
group by present.cluster, present.namespace, present.claim, volumes.date, present.requested_bytes
order by present.cluster, present.namespace, present.claim, volumes.date
