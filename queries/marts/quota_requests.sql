/* What containers would ask for with the advice of a day, in the namespaces that have any, over some days up to it.
grain: container_key, start
inputs: containers, advice
params: cluster, day, days
units: cores and bytes, null where none is set
Where a request is advised, its limit is the advised one too. The advice is the latest up to the day.
*/
with latest as (
    select max(date) as date
    from advice
    where cluster = $cluster
        and date <= cast($day as date)
),

advised as (
    select
        advice.namespace,
        advice.workload_kind,
        advice.workload,
        advice.container,
        advice.resource,
        advice.proposed_request,
        advice.proposed_limit
    from advice
    semi join latest on latest.date = advice.date
    where advice.cluster = $cluster
        and advice.action = 'request'
        and advice.proposed_request is not null
),

chosen as (
    select distinct namespace
    from advised
)

select
    containers.namespace,
    containers.container_key,
    containers.container,
    containers.start,
    containers."end",
    coalesce(cpu.proposed_request, containers.cpu_request) as cpu_request,
    if(cpu.proposed_request is null, containers.cpu_limit, cpu.proposed_limit) as cpu_limit,
    coalesce(memory.proposed_request, containers.memory_request) as memory_request,
    if(memory.proposed_request is null, containers.memory_limit, memory.proposed_limit) as memory_limit
from containers
semi join chosen on chosen.namespace = containers.namespace
left join advised as cpu
    on cpu.resource = 'cpu'
    and containers.namespace = cpu.namespace
    and containers.workload_kind = cpu.workload_kind
    and containers.workload = cpu.workload
    and containers.container = cpu.container
left join advised as memory
    on memory.resource = 'memory'
    and containers.namespace = memory.namespace
    and containers.workload_kind = memory.workload_kind
    and containers.workload = memory.workload
    and containers.container = memory.container
where containers.cluster = $cluster
    and containers.date > cast($day as date) - cast($days as integer)
    and containers.date <= cast($day as date)
order by containers.container_key, containers.start
