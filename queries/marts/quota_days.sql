/* The most that each namespace asked for on the days up to one, by the keys of ResourceQuotas: for forecasts.
grain: namespace, key, date
inputs: quota_demand, quota_keys
params: cluster, day, days
units: peak in cores, bytes or pieces
What Kubernetes itself counts as used is taken where it is more: pods that wait for a node count there. A day on which
nothing was asked for is 0; one that was not measured, or of a key that only a quota tells of and did not, has no row.
*/
with asked as (
    select
        namespace,
        key,
        date,
        max(peak) as peak
    from quota_demand
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
    group by namespace, key, date
),

measured as (
    select distinct date
    from asked
),

told as (
    select
        namespace,
        key,
        date,
        used_max as peak
    from quota_keys
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
        and used_max is not null
),

nothing as (
    select
        keys.namespace,
        keys.key,
        measured.date,
        0.0 as peak
    from (select distinct namespace, key from asked) as keys
    cross join measured
),

together as (
    select namespace, key, date, peak from asked
    union all
    select namespace, key, date, peak from told
    union all
    select namespace, key, date, peak from nothing
)

select
    namespace,
    key,
    date,
    max(peak) as peak
from together
group by namespace, key, date
order by namespace, key, date
