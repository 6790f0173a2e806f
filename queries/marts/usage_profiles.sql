/* The usage profiles of a measured day, as they are stored: what advice is made of, day by day.
grain: container_key, resource
inputs: profiles, runs
params: cluster, day
units: as in the table profiles
*/
select
    profiles.namespace,
    profiles.workload_kind,
    profiles.workload,
    profiles.container,
    profiles.resource,
    profiles.occupied_s,
    profiles.observed_s,
    profiles.mean,
    profiles.p50,
    profiles.p90,
    profiles.p95,
    profiles.p99,
    profiles.max,
    profiles.throttled_ratio,
    profiles.oom_kills,
    profiles.restarts,
    profiles.sketch_buckets,
    profiles.sketch_ms
from profiles
semi join runs on profiles.cluster = runs.cluster and profiles.date = runs.date
where profiles.cluster = $cluster
    and profiles.date = cast($day as date)
order by profiles.container_key, profiles.resource
