/* The charges of some days as FOCUS 1.3 rows: a node's resource, or a claim, is the origin, split over its consumers.
grain: cluster, date, ResourceId, SkuMeter, AllocatedResourceId, x_Kind, x_Namespace, x_Pod
inputs: charges, containers, nodes
params: start, until, cluster, timezone, provider
units: money in BillingCurrency, quantities in PricingUnit
A split's ratios add up to exactly 1, and its costs to the cost of the origin, whose own row is kept with zeros. Charges
without a price are not in it. docs/focus.md says what each column holds.
*/
with consumers as (
    -- A pod's containers are one consumer.
    select
        cluster,
        date,
        kind,
        resource,
        node,
        item,
        case when node is not null then node when kind = 'volume' then namespace || '/' || item end as origin,
        namespace,
        pod,
        pod_uid,
        any_value(workload_kind) as workload_kind,
        any_value(workload) as workload,
        any_value(team) as team,
        any_value(class) as class,
        any_value(pipeline) as pipeline,
        any_value(pipeline_task) as pipeline_task,
        any_value(pipeline_run) as pipeline_run,
        any_value(unit) as unit,
        any_value(currency) as currency,
        round(sum(billed_quantity), 9) as quantity,
        coalesce(sum(unit_price * billed_quantity) / nullif(sum(billed_quantity), 0), max(unit_price)) as unit_price,
        sum(requested_quantity) as requested_quantity,
        sum(used_quantity) filter (where not isnan(used_quantity)) as used_quantity,
        avg(coverage) as coverage,
        cast(sum(cost) as decimal(18, 6)) as cost,
        cast(sum(cost_used) as decimal(18, 6)) as cost_used,
        cast(sum(cost_unused) as decimal(18, 6)) as cost_unused,
        cast(sum(cost_unobserved) as decimal(18, 6)) as cost_unobserved,
        row_number() over (order by cluster, date, node, resource, kind, item, namespace, pod, pod_uid) as line
    from charges
    where date >= cast($start as date)
        and date < cast($until as date)
        and ($cluster is null or cluster = $cluster)
        and cost is not null
    group by cluster, date, kind, resource, node, item, namespace, pod, pod_uid
),

weights as (
    select
        line,
        cluster,
        date,
        origin,
        resource,
        cast(sum(cost) over whole as decimal(18, 6)) as origin_cost,
        1e12 * case -- in steps of 10^-12
            when sum(cost) over whole > 0 then cast(cost as double) / cast(sum(cost) over whole as double)
            when sum(quantity) over whole > 0 then quantity / sum(quantity) over whole
            else 1.0 / count(*) over whole
        end as weight
    from consumers
    where origin is not null
    window whole as (partition by cluster, date, origin, resource)
),

-- What rounding down leaves over goes to the largest remainders.
ranked as (
    select
        line,
        origin_cost,
        cast(floor(weight) as bigint) as steps,
        1e12 - sum(floor(weight)) over whole as missing_steps,
        row_number() over (
            partition by cluster, date, origin, resource
            order by weight - floor(weight) desc, line
        ) as place
    from weights
    window whole as (partition by cluster, date, origin, resource)
),

lines as (
    select
        consumers.cluster,
        consumers.date,
        consumers.kind,
        consumers.resource,
        consumers.node,
        consumers.item,
        consumers.origin,
        consumers.namespace,
        consumers.pod,
        consumers.pod_uid,
        consumers.workload_kind,
        consumers.workload,
        consumers.team,
        consumers.class,
        consumers.pipeline,
        consumers.pipeline_task,
        consumers.pipeline_run,
        consumers.unit,
        consumers.currency,
        consumers.quantity,
        consumers.unit_price,
        consumers.requested_quantity,
        consumers.used_quantity,
        consumers.coverage,
        consumers.cost,
        consumers.cost_used,
        consumers.cost_unused,
        consumers.cost_unobserved,
        ranked.origin_cost,
        cast((ranked.steps + if(ranked.place <= ranked.missing_steps, 1, 0)) / 1e12 as decimal(13, 12)) as ratio
    from consumers
    left join ranked
        on consumers.line = ranked.line
    union all by name
    select
        cluster,
        date,
        'origin' as kind,
        resource,
        node,
        any_value(item) as item,
        origin,
        any_value(unit) as unit,
        any_value(currency) as currency,
        0.0 as quantity,
        coalesce(sum(unit_price * quantity) / nullif(sum(quantity), 0), max(unit_price)) as unit_price,
        cast(0 as decimal(18, 6)) as cost,
        cast(sum(cost) as decimal(18, 6)) as origin_cost
    from consumers
    where origin is not null
    group by cluster, date, resource, node, origin
),

machines as (
    select
        cluster,
        date,
        node,
        arg_max(labels['label_topology_kubernetes_io_region'], start) as region,
        arg_max(labels['label_topology_kubernetes_io_zone'], start) as zone,
        arg_max(labels['label_node_kubernetes_io_instance_type'], start) as instance_type,
        arg_max(capacity_type, start) as capacity_type,
        arg_max(provider_id, start) as provider_id
    from nodes
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, date, node
),

tags as (
    select
        cluster,
        date,
        namespace,
        pod,
        pod_uid,
        map_from_entries(
            list_transform(
                map_entries(any_value(labels)),
                lambda entry: { 'key': regexp_replace(entry.key, '^label_', ''), 'value': entry.value }
            )
        ) as labels
    from containers
    where date >= cast($start as date)
        and date < cast($until as date)
    group by cluster, date, namespace, pod, pod_uid
),

final as (
    select
        lines.cluster,
        lines.date,
        lines.kind,
        lines.resource,
        lines.node,
        lines.item,
        lines.namespace,
        lines.pod,
        lines.pod_uid,
        lines.workload_kind,
        lines.workload,
        lines.team,
        lines.class,
        lines.pipeline,
        lines.pipeline_task,
        lines.pipeline_run,
        lines.currency,
        lines.requested_quantity,
        lines.used_quantity,
        lines.coverage,
        lines.cost,
        lines.cost_used,
        lines.cost_unused,
        lines.cost_unobserved,
        lines.origin_cost,
        lines.ratio,
        lines.origin is not null as is_split,
        lines.origin || ' ' || lines.resource || ' ' || lines.date || ' ' || lines.cluster as origin,
        coalesce(machines.provider_id, lines.origin, lines.item) as resource_id,
        coalesce(lines.origin, lines.item) as resource_name,
        coalesce(nullif(lines.pod_uid, ''), lines.namespace || '/' || lines.pod) as consumer,
        cast(lines.quantity as decimal(18, 9)) as quantity,
        cast(lines.unit_price as decimal(18, 9)) as unit_price,
        cast(
            cast(lines.quantity as decimal(18, 9)) * cast(lines.unit_price as decimal(18, 9)) as decimal(36, 12)
        ) as list_cost,
        case lines.unit
            when 'core_hour' then 'Core-Hours'
            when 'gib_hour' then 'GiB-Hours'
            when 'gpu_hour' then 'GPU-Hours'
            when 'gib' then 'GiB'
            else 'Hours'
        end as focus_unit,
        machines.region,
        machines.zone,
        machines.instance_type,
        if(machines.capacity_type = 'spot', 'Dynamic', 'Standard') as pricing_category,
        to_json(coalesce(tags.labels, map { })) as labels
    from lines
    left join machines
        on lines.cluster = machines.cluster
        and lines.date = machines.date
        and lines.node = machines.node
    left join tags
        on lines.cluster = tags.cluster
        and lines.date = tags.date
        and lines.namespace = tags.namespace
        and lines.pod = tags.pod
        and lines.pod_uid = tags.pod_uid
)

-- FOCUS writes its columns so.
-- noqa: disable=CP02
select
    if(
        is_split and kind <> 'origin',
        json_object(
            'Elements',
            json_array(json_object('AllocatedRatio', ratio, 'UsageUnit', focus_unit, 'UsageQuantity', quantity))
        ),
        null
    ) as AllocatedMethodDetails,
    if(is_split, 'costlab:demand', null) as AllocatedMethodId,
    if(is_split, consumer, null) as AllocatedResourceId,
    if(is_split, pod, null) as AllocatedResourceName,
    if(is_split and pod is not null, labels, null) as AllocatedTags,
    zone as AvailabilityZone,
    cost as BilledCost,
    cluster as BillingAccountId,
    cluster as BillingAccountName,
    'Cluster' as BillingAccountType,
    currency as BillingCurrency,
    timezone($timezone, date_trunc('month', cast(date as timestamp)) + interval 1 month) as BillingPeriodEnd,
    timezone($timezone, date_trunc('month', cast(date as timestamp))) as BillingPeriodStart,
    'Usage' as ChargeCategory,
    cast(null as varchar) as ChargeClass,
    case
        when kind = 'origin' then resource || ' of ' || resource_name || ', split over its consumers'
        when kind in ('idle', 'system') then kind || ' ' || resource || ' of ' || resource_name
        when kind = 'fee' then item
        else
            concat_ws(
                ' ', resource, 'of ' || resource_name, 'for ' || coalesce('pod ' || namespace || '/' || pod, 'nobody')
            )
    end as ChargeDescription,
    'Usage-Based' as ChargeFrequency,
    timezone($timezone, cast(date as timestamp) + interval 1 day) as ChargePeriodEnd,
    timezone($timezone, cast(date as timestamp)) as ChargePeriodStart,
    quantity as ConsumedQuantity,
    focus_unit as ConsumedUnit,
    list_cost as ContractedCost,
    unit_price as ContractedUnitPrice,
    cost as EffectiveCost,
    $provider as HostProviderName,
    $provider as InvoiceIssuerName,
    list_cost as ListCost,
    unit_price as ListUnitPrice,
    pricing_category as PricingCategory,
    quantity as PricingQuantity,
    focus_unit as PricingUnit,
    $provider as ProviderName,
    $provider as PublisherName,
    region as RegionId,
    region as RegionName,
    coalesce(resource_id, consumer) as ResourceId,
    coalesce(resource_name, pod) as ResourceName,
    case
        when node is not null then 'Node'
        when resource = 'storage' then 'PersistentVolumeClaim'
        when kind = 'fee' then 'Fee'
        else 'Pod'
    end as ResourceType,
    case resource when 'storage' then 'Storage' when 'network' then 'Networking' else 'Compute' end as ServiceCategory,
    'Kubernetes' as ServiceName,
    $provider as ServiceProviderName,
    case resource
        when 'storage' then 'Block Storage'
        when 'network' then 'Network Connectivity'
        else 'Containers'
    end as ServiceSubcategory,
    resource as SkuMeter,
    origin as x_SplitOriginId,
    origin_cost as x_SplitOriginCost,
    kind as x_Kind,
    namespace as x_Namespace,
    workload_kind as x_WorkloadKind,
    workload as x_Workload,
    pod as x_Pod,
    team as x_Team,
    class as x_Class,
    pipeline as x_Pipeline,
    pipeline_task as x_PipelineTask,
    pipeline_run as x_PipelineRun,
    instance_type as x_InstanceType,
    requested_quantity as x_RequestedQuantity,
    used_quantity as x_UsedQuantity,
    cost_used as x_CostUsed,
    cost_unused as x_CostUnused,
    cost_unobserved as x_CostUnobserved,
    coverage as x_Coverage
from final
order by date, cluster, node, resource, kind, item, namespace, pod, pod_uid
