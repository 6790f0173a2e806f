/* Which workloads HorizontalPodAutoscalers scaled by CPU or memory on some days, and what they aimed at.
grain: namespace, workload_kind, workload, date, resource
inputs: autoscalers
params: cluster, start, until
units: target = used / request, null where it is another target, or not known
$until is exclusive. An autoscaler of which no metric is told may scale by either.
*/
with resources as (
    select unnest(['cpu', 'memory']) as resource
)

select
    autoscalers.namespace,
    autoscalers.workload_kind,
    autoscalers.workload,
    autoscalers.date,
    resources.resource,
    if(
        bool_and(coalesce(autoscalers.target_type = 'utilization', false)),
        min(autoscalers.target),
        null
    ) as target
from autoscalers
inner join resources
    on coalesce(autoscalers.metric, resources.resource) = resources.resource
where autoscalers.cluster = $cluster
    and autoscalers.date >= cast($start as date)
    and autoscalers.date < cast($until as date)
group by
    autoscalers.namespace,
    autoscalers.workload_kind,
    autoscalers.workload,
    autoscalers.date,
    resources.resource
order by
    autoscalers.namespace,
    autoscalers.workload_kind,
    autoscalers.workload,
    autoscalers.date,
    resources.resource
