/* What a window cost by any dimensions, with what was shared of idle capacity, common namespaces and teams, and fees.
grain: currency and key; the last row, whose key is null, is the total
inputs: charges, containers
params: start, until, by, labels, cluster, namespace, team, share_idle, namespaces, teams, fees, method, across
units: cost* in currency; used_ratio = used / (used + unused), of what was observed; quantities billed, in their unit
$until is exclusive. $by names dimensions, $labels labels as kube-state-metrics exposes them (label_app), both with
commas; key holds their values in the order of the columns of named, labels last. $cluster, $namespace and $team filter;
'' is all. $share_idle: none, even or cost. $namespaces and $teams are common, and fees where $fees is true, shared by
$method (even or cost) within the cluster or across the lake ($across: cluster or lake).
Each day is shared for itself, whole micro-units by largest remainder, before anything is filtered,
and in two steps.
1. What is idle or system of a resource in a cluster goes to the charges for that resource there: by their cost, or as
   much to each key. Where there is none, it stays.
2. What common namespaces and teams and fees cost, with the idle capacity that came to them, goes to the other owners:
   by their own cost, or as much to each key; within the cluster, or across the lake.
What is given away is negative where it comes from: without a filter, cost_idle and cost_shared add up to 0.
*/
with pods as (
    select
        cluster,
        date,
        namespace,
        pod,
        pod_uid,
        any_value(labels) as labels
    from containers
    where $labels <> ''
        and date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, date, namespace, pod, pod_uid
),

named as (
    select
        if(kind in ('idle', 'system', 'fee'), '(' || kind || ')', '(none)') as nobody,
        currency,
        cast(charges.date as text) as date,
        charges.cluster,
        kind,
        resource,
        coalesce(node, nobody) as node,
        coalesce(team, nobody) as team,
        coalesce(charges.namespace, nobody) as namespace,
        coalesce(workload_kind, nobody) as workload_kind,
        coalesce(workload, nobody) as workload,
        coalesce(charges.pod, nobody) as pod,
        coalesce(class, nobody) as class,
        coalesce(pipeline, nobody) as pipeline,
        coalesce(pipeline_task, nobody) as pipeline_task,
        coalesce(pipeline_run, nobody) as pipeline_run,
        coalesce(item, nobody) as item,
        list_transform(
            string_split(nullif($labels, ''), ','), lambda label: coalesce(pods.labels[label], nobody)
        ) as labels,
        charges.date as day,
        billed_quantity,
        cost,
        cost_used,
        cost_unused,
        cost_unobserved
    from charges
    left join pods
        on charges.cluster = pods.cluster
        and charges.date = pods.date
        and charges.namespace = pods.namespace
        and charges.pod = pods.pod
        and charges.pod_uid = pods.pod_uid
    where charges.date >= cast($start as date)
        and charges.date < cast($until as date)
),

own as (
    select
        list_concat(
            list_value(*columns(string_split(concat_ws(',', 'currency', nullif($by, '')), ','))), labels
        ) as key,
        currency,
        day,
        cluster,
        resource,
        namespace,
        team,
        case
            when kind in ('idle', 'system') then 'idle'
            when kind = 'fee' then if($fees = 'true', 'common', 'fee')
            when list_contains(string_split($namespaces, ','), namespace) then 'common'
            when list_contains(string_split($teams, ','), team) then 'common'
            else 'owner'
        end as role,
        cast(cast(sum(cost) as decimal(30, 6)) * 1000000 as hugeint) as micros,
        sum(cost_used) as cost_used,
        sum(cost_unused) as cost_unused,
        sum(cost_unobserved) as cost_unobserved,
        sum(billed_quantity) as billed_quantity,
        count(*) filter (where cost is null and billed_quantity > 0) as unpriced_charges
    from named
    group by all
),

idle_pots as (
    select
        currency,
        day,
        cluster,
        resource,
        sum(micros) as pot
    from own
    where role = 'idle'
        and $share_idle <> 'none'
    group by currency, day, cluster, resource
),

idle_takers as (
    select
        own.key,
        own.currency,
        own.day,
        own.cluster,
        own.resource,
        own.role,
        own.namespace,
        own.team,
        pot,
        greatest(micros, 0) as paid,
        -- as much to each key is 10^9 for it, divided over its rows as they paid
        if(
            $share_idle = 'cost',
            paid,
            coalesce(
                1000000000 * sum(paid) over so_far // nullif(sum(paid) over of_key, 0)
                - 1000000000 * (sum(paid) over so_far - paid) // nullif(sum(paid) over of_key, 0),
                if(row_number() over so_far = 1, 1000000000, 0)
            )
        ) as weight
    from own
    inner join idle_pots
        on own.currency = idle_pots.currency
        and own.day = idle_pots.day
        and own.cluster = idle_pots.cluster
        and own.resource = idle_pots.resource
    where role in ('owner', 'common')
        and micros is not null
    window
        of_key as (partition by own.currency, own.day, own.cluster, own.resource, own.key),
        so_far as (
            partition by own.currency, own.day, own.cluster, own.resource, own.key
            order by own.namespace, own.team, own.role
        )
),

idle_weighed as (
    select
        key,
        currency,
        day,
        cluster,
        resource,
        role,
        namespace,
        team,
        pot,
        weight,
        sum(weight) over (partition by currency, day, cluster, resource) as weights
    from idle_takers
    qualify weights > 0
),

idle_taken as (
    select
        key,
        currency,
        day,
        cluster,
        role,
        namespace,
        team,
        abs(pot) * weight // weights as least,
        row_number() over (
            partition by currency, day, cluster, resource
            order by abs(pot) * weight % weights desc, key, namespace, team, role
        ) as place,
        abs(pot) - sum(least) over (partition by currency, day, cluster, resource) as left_over,
        cast(sign(pot) * (least + if(place <= left_over, 1, 0)) as hugeint) as micros
    from idle_weighed
),

idle_given as (
    select
        own.key,
        own.currency,
        own.cluster,
        own.namespace,
        own.team,
        -own.micros as micros
    from own
    semi join idle_weighed
        on own.currency = idle_weighed.currency
        and own.day = idle_weighed.day
        and own.cluster = idle_weighed.cluster
        and own.resource = idle_weighed.resource
    where own.role = 'idle'
),

common as (
    select
        key,
        currency,
        day,
        if($across = 'cluster', cluster, '') as pool,
        cluster,
        namespace,
        team,
        micros
    from own
    where role = 'common'
        and micros is not null
    union all
    select
        key,
        currency,
        day,
        if($across = 'cluster', cluster, ''),
        cluster,
        namespace,
        team,
        micros
    from idle_taken
    where role = 'common'
),

common_pots as (
    select
        currency,
        day,
        pool,
        sum(micros) as pot
    from common
    group by currency, day, pool
),

owners as (
    select
        key,
        currency,
        day,
        if($across = 'cluster', cluster, '') as pool,
        cluster,
        namespace,
        team,
        sum(micros) as micros
    from own
    where role = 'owner'
        and micros is not null
        and $namespaces || $teams || $fees <> 'false'
    group by all
),

common_takers as (
    select
        owners.key,
        owners.currency,
        owners.day,
        owners.pool,
        owners.cluster,
        owners.namespace,
        owners.team,
        pot,
        greatest(micros, 0) as paid,
        if(
            $method = 'cost',
            paid,
            coalesce(
                1000000000 * sum(paid) over so_far // nullif(sum(paid) over of_key, 0)
                - 1000000000 * (sum(paid) over so_far - paid) // nullif(sum(paid) over of_key, 0),
                if(row_number() over so_far = 1, 1000000000, 0)
            )
        ) as weight
    from owners
    inner join common_pots
        on owners.currency = common_pots.currency
        and owners.day = common_pots.day
        and owners.pool = common_pots.pool
    window
        of_key as (partition by owners.currency, owners.day, owners.pool, owners.key),
        so_far as (
            partition by owners.currency, owners.day, owners.pool, owners.key
            order by owners.cluster, owners.namespace, owners.team
        )
),

common_weighed as (
    select
        key,
        currency,
        day,
        pool,
        cluster,
        namespace,
        team,
        pot,
        weight,
        sum(weight) over (partition by currency, day, pool) as weights
    from common_takers
    qualify weights > 0
),

common_taken as (
    select
        key,
        currency,
        cluster,
        namespace,
        team,
        abs(pot) * weight // weights as least,
        row_number() over (
            partition by currency, day, pool order by abs(pot) * weight % weights desc, key, cluster, namespace, team
        ) as place,
        abs(pot) - sum(least) over (partition by currency, day, pool) as left_over,
        cast(sign(pot) * (least + if(place <= left_over, 1, 0)) as hugeint) as micros
    from common_weighed
),

common_given as (
    select
        key,
        currency,
        cluster,
        namespace,
        team,
        -micros as micros
    from common
    semi join common_weighed
        on common.currency = common_weighed.currency
        and common.day = common_weighed.day
        and common.pool = common_weighed.pool
),

ledger as (
    select
        key,
        cluster,
        namespace,
        team,
        micros,
        null as idle_micros,
        null as common_micros,
        resource,
        cost_used,
        cost_unused,
        cost_unobserved,
        billed_quantity,
        unpriced_charges
    from own
    union all by name
    select
        key,
        cluster,
        namespace,
        team,
        micros,
        micros as idle_micros
    from idle_taken
    union all by name
    select
        key,
        cluster,
        namespace,
        team,
        micros,
        micros as idle_micros
    from idle_given
    union all by name
    select
        key,
        cluster,
        namespace,
        team,
        micros,
        micros as common_micros
    from common_taken
    union all by name
    select
        key,
        cluster,
        namespace,
        team,
        micros,
        micros as common_micros
    from common_given
),

summed as (
    select
        key,
        grouping(key) = 1 as is_total,
        sum(micros) as micros,
        coalesce(sum(idle_micros), sum(micros) * 0) as idle_micros,
        coalesce(sum(common_micros), sum(micros) * 0) as common_micros,
        sum(cost_used) as cost_used,
        sum(cost_unused) as cost_unused,
        sum(cost_unobserved) as cost_unobserved,
        sum(billed_quantity) filter (where resource = 'cpu') as cpu_core_hours,
        sum(billed_quantity) filter (where resource = 'memory') as memory_gib_hours,
        sum(billed_quantity) filter (where resource = 'gpu') as gpu_hours,
        sum(billed_quantity) filter (where resource = 'storage') as storage_gib_hours,
        coalesce(sum(unpriced_charges), 0) as unpriced_charges
    from ledger
    where $cluster in ('', cluster)
        and $namespace in ('', namespace)
        and $team in ('', team)
    group by grouping sets ((key), ())
)

select
    key[1] as currency,
    key[2:] as key,
    -- from whole micro-units to six decimals, exactly
    cast(cast(micros as decimal(24, 0)) * 0.000001 as decimal(18, 6)) as cost,
    cast(cost_used as decimal(18, 6)) as cost_used,
    cast(cost_unused as decimal(18, 6)) as cost_unused,
    cast(cost_unobserved as decimal(18, 6)) as cost_unobserved,
    cast(cast(idle_micros as decimal(24, 0)) * 0.000001 as decimal(18, 6)) as cost_idle,
    cast(cast(common_micros as decimal(24, 0)) * 0.000001 as decimal(18, 6)) as cost_shared,
    cast(cost_used as double) / nullif(cast(cost_used + cost_unused as double), 0) as used_ratio,
    round(coalesce(cpu_core_hours, 0), 6) as cpu_core_hours,
    round(coalesce(memory_gib_hours, 0), 6) as memory_gib_hours,
    round(coalesce(gpu_hours, 0), 6) as gpu_hours,
    round(coalesce(storage_gib_hours, 0), 6) as storage_gib_hours,
    cast(unpriced_charges as bigint) as unpriced_charges
from summed
order by is_total, if(starts_with($by, 'date'), null, micros) desc nulls last, key
