/* What became of the changes that were advised a week (or $days) ago and are advised no more.
grain: namespace, workload_kind, workload, container, resource, action
inputs: advice
params: cluster, day, days
units: monthly_saving_gross in currency, as it was advised
What is compared with $day is the last day with advice of the $days that ended $days before it.
became: done, the request is nearer to the proposal than it was; gone, the workload has no advice any more, not even a
refusal; else withdrawn, such as after other usage.
*/
with earlier as (
    select
        team,
        namespace,
        workload_kind,
        workload,
        container,
        resource,
        action,
        current_request,
        proposed_request,
        currency,
        monthly_saving_gross
    from advice
    where cluster = $cluster
        and (proposed_request is not null or monthly_saving_gross is not null)
        and date = (
            select max(before.date)
            from advice as before
            where before.cluster = $cluster
                and before.date <= cast($day as date) - cast($days as integer)
                and before.date > cast($day as date) - 2 * cast($days as integer)
        )
),

now as (
    select
        namespace,
        workload_kind,
        workload,
        container,
        resource,
        action,
        current_request,
        proposed_request is not null or monthly_saving_gross is not null as advised
    from advice
    where cluster = $cluster
        and date = cast($day as date)
),

requests as (
    select
        namespace,
        workload_kind,
        workload,
        container,
        resource,
        max(current_request) as current_request
    from now
    group by namespace, workload_kind, workload, container, resource
)

select
    earlier.team,
    earlier.namespace,
    earlier.workload_kind,
    earlier.workload,
    earlier.container,
    earlier.resource,
    earlier.action,
    earlier.currency,
    earlier.monthly_saving_gross,
    case
        when
            not exists (
                select 1
                from now
                where now.namespace = earlier.namespace
                    and now.workload_kind = earlier.workload_kind
                    and now.workload = earlier.workload
            )
            then 'gone'
        when
            abs(requests.current_request - earlier.proposed_request)
            < abs(earlier.current_request - earlier.proposed_request)
            then 'done'
        else 'withdrawn'
    end as became
from earlier
left join requests
    on requests.namespace = earlier.namespace
    and requests.workload_kind = earlier.workload_kind
    and requests.workload = earlier.workload
    and requests.container = earlier.container
    and requests.resource = earlier.resource
where exists (select 1 from now)
    and not exists (
        select 1
        from now
        where now.advised
            and now.namespace = earlier.namespace
            and now.workload_kind = earlier.workload_kind
            and now.workload = earlier.workload
            and now.container = earlier.container
            and now.resource = earlier.resource
            and now.action = earlier.action
    )
order by
    earlier.monthly_saving_gross desc nulls last,
    earlier.namespace,
    earlier.workload_kind,
    earlier.workload,
    earlier.container,
    earlier.resource,
    earlier.action
