/* What each key of a namespace's ResourceQuota should allow, by what was asked for, is expected, and is there.
grain: namespace, resource
inputs: quota_demand, quota_keys, quota_lacking
params: cluster, day, days, headroom, owners, resources, levels, uppers, after_p99, after_peak
units: hard_now, used_*, expected_peak and suggested_* in cores, bytes or pieces
$levels and $uppers: what is expected of each of $owners and $resources on each day ahead, and its upper bound; empty
where it is not known.
used_now: the most on the day; used_p99: of all hours of the window, by nearest rank, one without demand is 0;
used_peak: the most in the window. What Kubernetes counts as used is taken where it is more.
suggested_hard: the largest of used_now, used_peak, and used_p99 or what is expected, whichever is more, with headroom;
and room for what containers without a request would be given; in whole cores, GiB and pieces, at least 1. A quota that
was reached hides what more was wanted: it is raised by the headroom at least. One that is at most a quarter too large
stays, and one is not cut by fewer than 7 days. A namespace without a quota is given one for all that it asks for but
limits and classes of storage.
suggested_after: the same with the requests and limits that are advised, null where none are.
*/
with expected as (
    select
        unnest(cast($owners as varchar[])) as namespace,
        unnest(cast($resources as varchar[])) as key,
        unnest(cast($levels as double[][])) as levels,
        unnest(cast($uppers as double[][])) as uppers,
        unnest(cast($after_p99 as double[])) as after_p99,
        unnest(cast($after_peak as double[])) as after_peak
),

asked as (
    select
        namespace,
        key,
        date,
        hour,
        peak
    from quota_demand
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
),

told as (
    select
        namespace,
        key,
        date,
        hard,
        used_max,
        quotas,
        spelled
    from quota_keys
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
),

present as (
    select
        namespace,
        key,
        hard,
        quotas,
        spelled
    from told
    where date = cast($day as date)
),

measured as (
    select
        count(distinct hour) as hours,
        count(distinct date) as days
    from asked
),

owners as (
    select distinct namespace
    from present
),

of_hours as (
    select
        asked.namespace,
        asked.key,
        -- The hours without a row are the first of those in order.
        coalesce(
            list_sort(list(asked.peak))[
                greatest(
                    0,
                    cast(ceil(0.99 * any_value(measured.hours)) as bigint) - any_value(measured.hours) + count(*)
                )
            ],
            0
        ) as p99,
        max(asked.peak) as peak,
        max(if(asked.date = cast($day as date), asked.peak, 0)) as now,
        max(asked.date) as last_date,
        any_value(measured.days) as days
    from asked
    cross join measured
    group by asked.namespace, asked.key
),

of_days as (
    select
        namespace,
        key,
        quantile_disc(used_max, 0.99) as p99,
        max(used_max) as peak,
        max(if(date = cast($day as date), used_max, null)) as now,
        count(used_max) as days
    from told
    group by namespace, key
),

used as (
    select
        coalesce(of_hours.namespace, of_days.namespace) as namespace,
        coalesce(of_hours.key, of_days.key) as key,
        coalesce(of_hours.p99, of_days.p99, 0) as used_p99,
        greatest(of_hours.peak, of_days.peak, 0) as used_peak,
        greatest(of_hours.now, of_days.now, 0) as used_now,
        greatest(of_hours.peak, of_days.peak, 0) - coalesce(of_hours.peak, 0) as unseen,
        coalesce(of_hours.days, of_days.days) as evidence_days,
        of_hours.last_date
    from of_hours
    full outer join of_days
        on of_hours.namespace = of_days.namespace
        and of_hours.key = of_days.key
),

subjects as (
    select
        used.namespace,
        used.key,
        coalesce(present.quotas, []) as quotas,
        coalesce(present.spelled, []) as spelled,
        present.hard as hard_now,
        used.used_now,
        used.used_p99,
        used.used_peak,
        list_max(expected.levels) as level,
        cast($day as date) + list_position(list_transform(expected.levels, lambda x: x > present.hard), true)
            as exhausted_on,
        cast($day as date) + list_position(list_transform(expected.uppers, lambda x: x > present.hard), true)
            as exhausted_earliest,
        used.evidence_days,
        greatest(used.used_p99, coalesce(list_max(expected.levels), 0)) as need,
        coalesce(lacking.containers_max * lacking.default_request, 0) as lacking,
        coalesce(used.used_now >= present.hard, false) as reached,
        expected.after_p99,
        expected.after_peak + used.unseen as after_peak,
        if(used.used_p99 > 0, expected.after_p99 / used.used_p99, 1) as after_ratio,
        if(regexp_matches(used.key, '(memory|storage)$|hugepages-'), 1073741824.0, 1.0) as unit,
        owners.namespace is not null as has_quota
    from used
    left join owners on used.namespace = owners.namespace
    left join present
        on used.namespace = present.namespace
        and used.key = present.key
    left join expected
        on used.namespace = expected.namespace
        and used.key = expected.key
    left join quota_lacking as lacking
        on lacking.cluster = $cluster
        and lacking.date = cast($day as date)
        and used.namespace = lacking.namespace
        and used.key = lacking.key
        and present.hard is null
    where present.hard is not null
        or (
            used.used_peak > 0
            and used.last_date > cast($day as date) - 7
            and not starts_with(used.key, 'limits.')
            and not contains(used.key, '.storageclass.storage.k8s.io/')
            and not starts_with(used.namespace, 'kube-')
        )
),

sized as (
    select
        namespace,
        key,
        quotas,
        spelled,
        hard_now,
        used_now,
        used_p99,
        used_peak,
        level,
        exhausted_on,
        exhausted_earliest,
        evidence_days,
        has_quota,
        reached,
        greatest(
            used_now,
            used_peak,
            need * (1 + cast($headroom as double)),
            if(reached, hard_now * (1 + cast($headroom as double)), 0)
        ) + lacking as wanted,
        greatest(after_peak, need * after_ratio * (1 + cast($headroom as double))) + lacking as wanted_after,
        -- Sums of floats such as 0.1 are a little off: a billionth above a whole number is that number.
        greatest(1, ceil(wanted / unit - 1e-9)) * unit as least,
        if(after_p99 is null, null, greatest(1, ceil(wanted_after / unit - 1e-9)) * unit) as suggested_after
    from subjects
),

reasoned as (
    select
        namespace,
        key,
        quotas,
        spelled,
        hard_now,
        used_now,
        used_p99,
        used_peak,
        level,
        least,
        suggested_after,
        exhausted_on,
        exhausted_earliest,
        evidence_days,
        case
            when hard_now is null and has_quota then 'no_key'
            when hard_now is null then 'no_quota'
            when reached then 'exhausted'
            when exhausted_on is not null then 'runs_out'
            when least > hard_now then 'too_tight'
            when hard_now <= least * 1.25 then 'fits'
            when coalesce(evidence_days, 0) < 7 then 'too_little_data'
            when used_peak = 0 then 'unused'
            else 'over_large'
        end as reason
    from sized
)

select
    namespace,
    key as resource,
    quotas,
    spelled,
    hard_now,
    used_now,
    used_p99,
    used_peak,
    level as expected_peak,
    if(reason in ('fits', 'too_little_data'), hard_now, least) as suggested_hard,
    suggested_after,
    exhausted_on,
    exhausted_earliest,
    reason,
    coalesce(evidence_days, 0) as evidence_days
from reasoned
order by namespace, resource
