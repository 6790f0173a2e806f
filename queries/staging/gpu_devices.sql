/* Each GPU or MIG instance on each day, with what it costs an hour.
grain: cluster, date, gpu_key
inputs: gpus, nodes
params: none
units: *_hours in hours of the device; gpu_share in physical GPUs; hourly_price in currency, null when no price is
       known; ratios NaN when never observed
A price is the mean over the time in which the node had GPUs of the device's model; else over its day.
*/
with priced as (
    select
        cluster,
        date,
        node,
        gpu_model,
        sum(gpu_price * epoch("end" - start)) as price_seconds,
        sum(epoch("end" - start)) filter (where gpu_price is not null) as seconds
    from nodes
    group by cluster, date, node, gpu_model
),

whole as (
    select
        cluster,
        date,
        node,
        if(count(gpu_model) = 1, max(gpu_model), null) as gpu_model,
        sum(price_seconds) / sum(seconds) as gpu_price
    from priced
    group by cluster, date, node
)

select
    gpus.cluster,
    gpus.date,
    gpus.gpu_key,
    gpus.uuid,
    gpus.gpu_index,
    gpus.mig_profile,
    coalesce(gpus.model, whole.gpu_model) as model,
    gpus.node,
    gpus.observed_hours,
    gpus.allocated_hours,
    gpus.busy_mean,
    gpus.busy_p95,
    gpus.busy_max,
    gpus.memory_max_bytes,
    gpus.memory_total_bytes,
    gpus.energy_kwh,
    gpus.gpu_share,
    coalesce(priced.price_seconds / priced.seconds, whole.gpu_price) * gpus.gpu_share as hourly_price
from gpus
left join whole
    on gpus.cluster = whole.cluster
    and gpus.date = whole.date
    and gpus.node = whole.node
left join priced
    on gpus.cluster = priced.cluster
    and gpus.date = priced.date
    and gpus.node = priced.node
    and gpus.model = priced.gpu_model
order by gpus.cluster, gpus.date, gpus.gpu_key
