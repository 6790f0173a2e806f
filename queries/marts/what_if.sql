/* What a window would have cost at other unit prices, by some dimensions.
grain: currency and key; the last row, whose key is null, is the total
inputs: charges, nodes
params: start, until, by, cluster, cpu_core_hour, memory_gib_hour, storage_gib_hour, gpu_hour, gpu_models
units: cost, cost_what_if and difference in currency; unpriced_charges: how many have no price in cost_what_if
$until is exclusive; $cluster '' is all. A price of '' leaves the charges of its resource as they are. $gpu_models is a
JSON object of prices by model, before $gpu_hour; a node with GPUs of several models on a day counts to none of them.
Each charge is what was billed × its new price, to the micro-unit. $by names dimensions, with commas; key holds their
values in the order of the columns of named.
*/
with models as (
    select
        cluster,
        date,
        node,
        any_value(gpu_model) as model
    from nodes
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, date, node
    having count(distinct gpu_model) = 1
),

named as (
    select
        if(kind in ('idle', 'system', 'fee'), '(' || kind || ')', '(none)') as nobody,
        currency,
        cast(charges.date as text) as date,
        charges.cluster,
        kind,
        resource,
        coalesce(charges.node, nobody) as node,
        coalesce(team, nobody) as team,
        coalesce(namespace, nobody) as namespace,
        coalesce(workload_kind, nobody) as workload_kind,
        coalesce(workload, nobody) as workload,
        coalesce(class, nobody) as class,
        coalesce(pipeline, nobody) as pipeline,
        if(resource = 'gpu', coalesce(model, '(unknown)'), '(none)') as gpu_model,
        case resource
            when 'cpu' then cast(nullif($cpu_core_hour, '') as double)
            when 'memory' then cast(nullif($memory_gib_hour, '') as double)
            when 'storage' then cast(nullif($storage_gib_hour, '') as double)
            when 'gpu'
                then coalesce(
                        from_json($gpu_models, '"MAP(VARCHAR, DOUBLE)"')[model],
                        cast(nullif($gpu_hour, '') as double)
                    )
        end as new_price,
        cost,
        if(
            new_price is null, cost, cast(round(billed_quantity * new_price, 6) as decimal(18, 6))
        ) as cost_what_if,
        billed_quantity
    from charges
    left join models
        on charges.cluster = models.cluster
        and charges.date = models.date
        and charges.node = models.node
    where charges.date >= cast($start as date)
        and charges.date < cast($until as date)
        and $cluster in ('', charges.cluster)
),

keyed as (
    select
        list_value(*columns(string_split(concat_ws(',', 'currency', nullif($by, '')), ','))) as key,
        cost,
        cost_what_if,
        billed_quantity
    from named
)

select
    key[1] as currency,
    key[2:] as key,
    cast(sum(cost) as decimal(18, 6)) as cost,
    cast(sum(cost_what_if) as decimal(18, 6)) as cost_what_if,
    cast(sum(cost_what_if) - coalesce(sum(cost), 0) as decimal(18, 6)) as difference,
    count(*) filter (where cost_what_if is null and billed_quantity > 0) as unpriced_charges
from keyed
group by grouping sets ((key), ())
order by grouping(key), abs(difference) desc nulls last, key
