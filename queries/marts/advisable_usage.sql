/* How much of CPU and memory those containers used within some days, and for how long: their sketches, merged.
grain: subject (its place, from 0, among the rows of advisable_containers for the same parameters), resource
inputs: containers, profiles, runs
params: cluster, day, days
units: hours of all replicas; mean and peak in cores or bytes, null when not observed; ratios of CPU periods
buckets and bucket_ms are a sketch as docs/methods.md, "Usage profiles", has it; both are empty when nothing was
observed. evidence_days: on which any usage was observed.
*/
with measured as (
    select date
    from runs
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
),

subjects as (
    select
        namespace,
        workload_kind,
        workload,
        container,
        row_number() over (order by namespace, workload_kind, workload, container) - 1 as subject
    from (
        select distinct
            containers.namespace,
            containers.workload_kind,
            containers.workload,
            containers.container
        from containers
        semi join measured on containers.date = measured.date
        where containers.cluster = $cluster
            and containers.container <> ''
    )
),

daily as (
    select
        subjects.subject,
        profiles.resource,
        profiles.date,
        profiles.occupied_s,
        profiles.observed_s,
        profiles.mean,
        profiles.max,
        profiles.throttled_ratio,
        profiles.oom_kills,
        profiles.restarts,
        profiles.sketch_buckets,
        profiles.sketch_ms
    from profiles
    semi join measured on profiles.date = measured.date
    inner join subjects
        on profiles.namespace = subjects.namespace
        and profiles.workload_kind = subjects.workload_kind
        and profiles.workload = subjects.workload
        and profiles.container = subjects.container
    where profiles.cluster = $cluster
),

totals as (
    select
        subject,
        resource,
        sum(occupied_s) / 3600 as occupied_hours,
        sum(observed_s) / 3600 as observed_hours,
        count(distinct date) filter (where observed_s > 0) as evidence_days,
        sum(mean * observed_s) filter (where observed_s > 0 and not isnan(mean))
        / nullif(sum(observed_s) filter (where observed_s > 0 and not isnan(mean)), 0) as mean,
        max(max) filter (where not isnan(max)) as peak,
        sum(throttled_ratio * observed_s) filter (where not isnan(throttled_ratio))
        / nullif(sum(observed_s) filter (where not isnan(throttled_ratio)), 0) as throttled_ratio,
        coalesce(sum(oom_kills), 0) as oom_kills,
        coalesce(sum(restarts), 0) as restarts
    from daily
    group by subject, resource
),

entries as (
    select
        subject,
        resource,
        unnest(sketch_buckets) as bucket,
        unnest(sketch_ms) as ms
    from daily
),

merged as (
    select
        subject,
        resource,
        bucket,
        cast(sum(ms) as bigint) as ms
    from entries
    group by subject, resource, bucket
),

sketches as (
    select
        subject,
        resource,
        list(bucket order by bucket) as buckets,
        list(ms order by bucket) as bucket_ms
    from merged
    group by subject, resource
)

select
    totals.subject,
    totals.resource,
    totals.occupied_hours,
    totals.observed_hours,
    totals.evidence_days,
    totals.mean,
    totals.peak,
    totals.throttled_ratio,
    cast(totals.oom_kills as bigint) as oom_kills,
    cast(totals.restarts as bigint) as restarts,
    coalesce(sketches.buckets, []) as buckets,
    coalesce(sketches.bucket_ms, []) as bucket_ms
from totals
left join sketches on totals.subject = sketches.subject and totals.resource = sketches.resource
order by totals.resource, totals.subject
