/* What a pod of each workload asked for and used, on average over its time within some days.
grain: cluster, team, namespace, workload_kind, workload, class, resource
inputs: workload_costs, pods
params: cluster, day, days
units: requested and used per pod in cores, GiB and physical GPUs; used is NaN where it was never observed; hours of all
pods in all those days; days on which it ran
$cluster: '' is all. Used is what was seen over the observed part of what was billed.
*/
with hours as (
    select
        cluster,
        date,
        team,
        namespace,
        workload_kind,
        workload,
        class,
        sum(epoch("end" - start)) / 3600.0 as pod_hours
    from pods
    where date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
        and $cluster in ('', cluster)
    group by cluster, date, team, namespace, workload_kind, workload, class
)

select
    hours.cluster,
    hours.team,
    hours.namespace,
    hours.workload_kind,
    hours.workload,
    hours.class,
    workload_costs.resource,
    count(distinct hours.date) as days,
    round(sum(hours.pod_hours), 9) as pod_hours,
    coalesce(sum(workload_costs.requested_quantity), 0) / sum(hours.pod_hours) as requested,
    coalesce(
        sum(workload_costs.used_quantity)
        / nullif(sum(workload_costs.observed_quantity), 0)
        * sum(workload_costs.billed_quantity)
        / sum(hours.pod_hours),
        cast('NaN' as double)
    ) as used
from hours
inner join workload_costs
    on hours.cluster = workload_costs.cluster
    and hours.date = workload_costs.date
    and hours.team = workload_costs.team
    and hours.namespace = workload_costs.namespace
    and hours.workload_kind = workload_costs.workload_kind
    and hours.workload = workload_costs.workload
    and hours.class = workload_costs.class
where workload_costs.resource in ('cpu', 'memory', 'gpu')
    -- the same dates as constants: only their charges are then read
    and workload_costs.date > cast($day as date) - cast($days as integer)
    and workload_costs.date <= cast($day as date)
    and hours.pod_hours > 0
group by
    hours.cluster,
    hours.team,
    hours.namespace,
    hours.workload_kind,
    hours.workload,
    hours.class,
    workload_costs.resource
order by
    hours.cluster,
    hours.team,
    hours.namespace,
    hours.workload_kind,
    hours.workload,
    hours.class,
    workload_costs.resource
