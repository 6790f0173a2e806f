/* What electricity a window used by any dimensions, and the CO2 of it.
grain: key; the last row, whose key is null, is the total
inputs: energy
params: start, until, by, cluster, namespace, team, clusters, grams
units: *_kwh in kWh as the machines used it, null: not measured; co2_kg in kg; coverage = observed / occupied time
$until is exclusive. $by names dimensions with commas; key holds their values in the order of the columns of told.
$cluster, $namespace and $team filter; '' is all. $grams are the CO2 of a kWh that the machines of each of $clusters
use, with what the data centre draws beside it; both with commas. What nobody is known to have used is (nobody)'s.
*/
with told as (
    select
        if(pod is null, '(nobody)', '(none)') as nobody,
        cast(date as text) as date,
        cluster,
        source,
        coalesce(node, '(none)') as node,
        coalesce(team, nobody) as team,
        coalesce(namespace, nobody) as namespace,
        coalesce(workload_kind, nobody) as workload_kind,
        coalesce(workload, nobody) as workload,
        coalesce(pod, nobody) as pod,
        coalesce(class, nobody) as class,
        coalesce(pipeline, nobody) as pipeline,
        coalesce(pipeline_task, nobody) as pipeline_task,
        coalesce(pipeline_run, nobody) as pipeline_run,
        source as meter,
        if(isnan(energy_kwh), null, energy_kwh) as kwh,
        cast(
            string_split($grams, ',')[list_position(string_split($clusters, ','), energy.cluster)] as double
        ) as grams_per_kwh,
        occupied_hours,
        occupied_hours * coverage as observed_hours
    from energy
    where energy.date >= cast($start as date)
        and energy.date < cast($until as date)
        and $cluster in ('', energy.cluster)
        and ($namespace = '' or energy.namespace = $namespace)
        and ($team = '' or energy.team = $team)
),

keyed as (
    select
        list_value(*columns(string_split($by, ','))) as key,
        meter,
        kwh,
        grams_per_kwh,
        occupied_hours,
        observed_hours
    from told
),

summed as (
    select
        key,
        grouping(key) = 1 as is_total,
        sum(kwh) filter (where meter = 'gpu') as gpu_kwh,
        sum(kwh) filter (where meter = 'kepler') as cpu_memory_kwh,
        sum(kwh) as energy_kwh,
        sum(kwh * grams_per_kwh) / 1000 as co2_kg,
        sum(observed_hours) / nullif(sum(occupied_hours), 0) as coverage
    from keyed
    group by grouping sets ((key), ())
)

select
    key,
    gpu_kwh,
    cpu_memory_kwh,
    energy_kwh,
    co2_kg,
    coverage
from summed
order by is_total, if(starts_with($by, 'date'), null, energy_kwh) desc nulls last, key
