/* What requests were advised last before a day, by the same rule: advice that stands does not flutter.
grain: namespace, workload_kind, workload, container, resource
inputs: advice
params: cluster, day, days, policy
units: proposed_request in cores or bytes
Only the last of the $days days before $day that has advice counts, and of it what was advised.
*/
select
    namespace,
    workload_kind,
    workload,
    container,
    resource,
    proposed_request
from advice
where cluster = $cluster
    and action = 'request'
    and proposed_request is not null
    and starts_with(policy, $policy || ':')
    and date = (
        select max(earlier.date)
        from advice as earlier
        where earlier.cluster = $cluster
            and earlier.date >= cast($day as date) - cast($days as integer)
            and earlier.date < cast($day as date)
    )
order by namespace, workload_kind, workload, container, resource
