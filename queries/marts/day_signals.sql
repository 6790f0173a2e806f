/* What was read of each signal on the day.
grain: signal
inputs: runs
params: cluster, day
units: samples are counted; coverage is a ratio, null for signals that measure no usage
*/
with read as (
    select
        unnest(map_entries(signals)) as entry,
        signal_coverage
    from runs
    where cluster = $cluster
        and date = cast($day as date)
)

select
    entry.key as signal,
    try_cast(entry.value as bigint) as samples,
    try_cast(
        signal_coverage[
            case entry.key
                when 'cpu_seconds' then 'cpu'
                when 'memory_bytes' then 'memory'
                when 'gpu_engine_active' then 'gpu'
                when 'gpu_utilization' then 'gpu'
            end
        ] as double
    ) as coverage
from read
order by signal
