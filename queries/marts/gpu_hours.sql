/* How busy each GPU or MIG instance was, hour by hour: the heat map of a lab.
grain: cluster, gpu_key, hour
inputs: gpu_usage, gpus
params: start, until, cluster
units: hour is UTC, its beginning; busy_ratio time-weighted over what was observed; observed_hours, allocated_hours in
       hours; memory_max_bytes in bytes
$until is exclusive; $cluster '' is all. A stretch counts to the hour in which it begins. An hour that was never
observed has no row.
*/
with devices as (
    select
        cluster,
        gpu_key,
        any_value(node order by date) as node,
        any_value(gpu_index order by date) as gpu_index,
        any_value(mig_profile order by date) as mig_profile,
        any_value(model order by date) as model
    from gpus
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, gpu_key
)

select
    gpu_usage.cluster,
    gpu_usage.gpu_key,
    node,
    gpu_index,
    mig_profile,
    model,
    date_trunc('hour', ts) as hour,
    sum(busy_ratio * dt_s) / sum(dt_s) as busy_ratio,
    sum(dt_s) / 3600 as observed_hours,
    coalesce(sum(dt_s) filter (where container_key is not null), 0) / 3600 as allocated_hours,
    max(memory_used_bytes) as memory_max_bytes
from gpu_usage
inner join devices
    on gpu_usage.cluster = devices.cluster
    and gpu_usage.gpu_key = devices.gpu_key
where gpu_usage.date >= cast($start as date)
    and gpu_usage.date < cast($until as date)
    and $cluster in ('', gpu_usage.cluster)
    and not isnan(busy_ratio)
    and dt_s > 0
group by gpu_usage.cluster, gpu_usage.gpu_key, node, gpu_index, mig_profile, model, date_trunc('hour', ts)
order by gpu_usage.cluster, node, try_cast(gpu_index as integer), gpu_index, mig_profile, gpu_usage.gpu_key, hour
