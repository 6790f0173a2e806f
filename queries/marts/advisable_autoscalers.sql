/* Which workloads HorizontalPodAutoscalers scaled on a day by CPU or memory, and what they aim at.
grain: namespace, workload_kind, workload, resource
inputs: autoscalers
params: cluster, day
units: target = used / request, null where it is another target, or not known
An autoscaler of which no metric is told may scale by either.
*/
with resources as (
    select unnest(['cpu', 'memory']) as resource
)

select
    autoscalers.namespace,
    autoscalers.workload_kind,
    autoscalers.workload,
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
    and autoscalers.date = cast($day as date)
group by autoscalers.namespace, autoscalers.workload_kind, autoscalers.workload, resources.resource
order by autoscalers.namespace, autoscalers.workload_kind, autoscalers.workload, resources.resource
