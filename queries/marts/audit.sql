/* What a platform's owner should put right: what asks for nothing, belongs to nobody, or has no price.
grain: cluster, rule, namespace, subject, resource
inputs: charges, containers, volumes, nodes, quotas
params: start, until, cluster, namespace, team
units: amount in currency, what the subject cost in the window: null where no price is known; days of the window
$until is exclusive. $cluster, $namespace and $team filter; '' is all. Rules:
request_missing: a container of the workload had no request for the resource; the amount is the workload's for it.
limit_missing: the same of memory limits; without one a container may use all of its node's.
owner_missing: no label and no setting names the team of what ran in the namespace.
quota_missing: the namespace ran pods and has no ResourceQuota, in a cluster that has one elsewhere.
claim_unmounted: no pod mounted the claim on any day.
gpu_unobserved: a container held GPUs of the node, and their use was not seen at any time of the day.
price_unknown, price_zero: a node's resource without a price, or with a price of 0.
*/
with billed as (
    select
        cluster,
        date,
        kind,
        resource,
        node,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        cost,
        cost_unobserved
    from charges
    where date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
        and $namespace in ('', namespace)
        and $team in ('', team)
        and kind = 'workload'
),

asked as (
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        bool_or(cpu_request is null) as without_cpu,
        bool_or(memory_request is null) as without_memory,
        bool_or(memory_limit is null) as without_limit
    from containers
    where container <> ''
        and date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
        and $namespace in ('', namespace)
        and $team in ('', team)
    group by cluster, date, team, namespace, workload_kind, workload, container
),

missing as (
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        'request_missing' as rule,
        'cpu' as resource
    from asked
    where without_cpu
    union all
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        'request_missing',
        'memory'
    from asked
    where without_memory
    union all
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        'limit_missing',
        'memory'
    from asked
    where without_limit
),

costs as (
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        container,
        resource,
        sum(cost) as cost
    from billed
    group by cluster, date, team, namespace, workload_kind, workload, container, resource
),

machines as (
    select cluster, date, node, 'cpu' as resource, cpu_capacity as capacity, cpu_price as price
    from nodes
    union all
    select cluster, date, node, 'memory', memory_capacity, memory_price
    from nodes
    union all
    select cluster, date, node, 'gpu', gpu_capacity, gpu_price
    from nodes
),

found as (
    select
        missing.cluster,
        missing.rule,
        missing.namespace,
        missing.workload_kind || '/' || missing.workload as subject,
        missing.resource,
        missing.date,
        costs.cost as amount
    from missing
    left join costs
        on missing.cluster = costs.cluster
        and missing.date = costs.date
        and missing.team = costs.team
        and missing.namespace = costs.namespace
        and missing.workload_kind = costs.workload_kind
        and missing.workload = costs.workload
        and missing.container = costs.container
        and missing.resource = costs.resource
    union all
    select
        cluster,
        'owner_missing',
        namespace,
        null,
        null,
        date,
        cost
    from billed
    where team = 'unallocated'
    union all
    select
        billed.cluster,
        'quota_missing',
        billed.namespace,
        null,
        null,
        billed.date,
        billed.cost
    from billed
    semi join quotas
        on billed.cluster = quotas.cluster
        and billed.date = quotas.date
    anti join quotas as own
        on billed.cluster = own.cluster
        and billed.date = own.date
        and billed.namespace = own.namespace
    union all
    select
        cluster,
        'claim_unmounted',
        namespace,
        claim,
        'storage',
        date,
        cost
    from volumes
    where date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
        and $namespace in ('', namespace)
        and $team in ('', team)
    qualify sum(mounted_hours) over (partition by cluster, namespace, claim) = 0
    union all
    select
        cluster,
        'gpu_unobserved',
        null,
        node,
        'gpu',
        date,
        cost_unobserved
    from billed
    where resource = 'gpu'
        and cost_unobserved > 0
        and cost_unobserved = cost
    union all
    select
        cluster,
        if(price is null, 'price_unknown', 'price_zero'),
        null,
        node,
        resource,
        date,
        null
    from machines
    where date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
        and $namespace || $team = ''
        and capacity > 0
        and coalesce(price, 0) = 0
)

select
    cluster,
    rule,
    namespace,
    subject,
    resource,
    count(distinct date) as days,
    cast(sum(amount) as decimal(18, 6)) as amount
from found
group by cluster, rule, namespace, subject, resource
order by coalesce(sum(amount), 0) desc, cluster, rule, namespace, subject, resource
