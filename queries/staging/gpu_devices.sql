/* Each GPU or MIG instance on each day, with the share of a physical GPU that it is and what it costs an hour.
grain: cluster, date, gpu_key
inputs: gpus, nodes
params: none
units: *_hours in hours of the device; gpu_share in physical GPUs; hourly_price in currency, null when no price is
       known; ratios NaN when never observed
A MIG instance is its compute slices over 7 (over 4 on an A30), as in docs/methods.md.
*/
with prices as (
    select
        cluster,
        date,
        node,
        max(gpu_model) as gpu_model,
        -- the mean over the day, where the price changed within it
        sum(gpu_price * epoch("end" - start)) / sum(epoch("end" - start)) filter (where gpu_price is not null)
            as gpu_price
    from nodes
    group by cluster, date, node
),

devices as (
    select
        gpus.cluster,
        gpus.date,
        gpus.gpu_key,
        gpus.uuid,
        gpus.gpu_index,
        gpus.mig_profile,
        coalesce(gpus.model, prices.gpu_model) as model,
        gpus.node,
        gpus.observed_hours,
        gpus.allocated_hours,
        gpus.busy_mean,
        gpus.busy_p95,
        gpus.busy_max,
        gpus.memory_max_bytes,
        gpus.memory_total_bytes,
        gpus.energy_kwh,
        prices.gpu_price,
        try_cast(regexp_extract(gpus.mig_profile, '^(\d+)g', 1) as double) as slices
    from gpus
    left join prices
        on gpus.cluster = prices.cluster
        and gpus.date = prices.date
        and gpus.node = prices.node
)

select
    cluster,
    date,
    gpu_key,
    uuid,
    gpu_index,
    mig_profile,
    model,
    node,
    observed_hours,
    allocated_hours,
    busy_mean,
    busy_p95,
    busy_max,
    memory_max_bytes,
    memory_total_bytes,
    energy_kwh,
    coalesce(slices / if(model like '%A30%', 4, 7), 1) as gpu_share,
    gpu_price * coalesce(slices / if(model like '%A30%', 4, 7), 1) as hourly_price
from devices
order by cluster, date, gpu_key
