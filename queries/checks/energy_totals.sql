/* Days on which containers and nobody together did not use what the GPUs used.
grain: a guilty day
inputs: energy, gpus
params: none
units: kWh
What was never observed is in neither sum; a difference in the ninth digit is that of adding in another order.
*/
with devices as (
    select
        cluster,
        date,
        sum(energy_kwh) as devices_kwh
    from gpus
    where not isnan(energy_kwh)
    group by cluster, date
),

used as (
    select
        cluster,
        date,
        sum(energy_kwh) as used_kwh
    from energy
    where source = 'gpu'
        and not isnan(energy_kwh)
    group by cluster, date
)

select
    coalesce(devices.cluster, used.cluster) as cluster,
    coalesce(devices.date, used.date) as date,
    devices.devices_kwh,
    used.used_kwh
from devices
full outer join used
    on devices.cluster = used.cluster
    and devices.date = used.date
where
    abs(coalesce(devices.devices_kwh, 0) - coalesce(used.used_kwh, 0))
    > 1e-9 * greatest(coalesce(devices.devices_kwh, 0), coalesce(used.used_kwh, 0))
order by cluster, date
