/* What became of the requests that were advised when a period began: made, still open, or their workload gone.
grain: namespace, workload_kind, workload, container, resource
inputs: advice
params: cluster, start, until
units: requests in cores or bytes; monthly_saving_gross in currency a month, below 0 where it costs more
The period's first and last day that have advice are held against each other ($until is exclusive); without two of them
there is no row. state: taken (the request went nine tenths of the way to what was advised first, or further), open, or
gone (that container and resource is not looked at any more).
*/
with ends as (
    select
        min(date) as first_date,
        max(date) as last_date
    from advice
    where cluster = $cluster
        and date >= cast($start as date)
        and date < cast($until as date)
    having min(date) < max(date)
),

advised as (
    select
        advice.namespace,
        advice.workload_kind,
        advice.workload,
        advice.container,
        advice.resource,
        advice.team,
        advice.currency,
        advice.current_request,
        advice.proposed_request,
        advice.monthly_saving_gross
    from advice
    inner join ends
        on advice.date = ends.first_date
    where advice.cluster = $cluster
        and advice.action = 'request'
        and advice.proposed_request is not null
        and advice.current_request is not null
        and advice.current_request <> advice.proposed_request
),

present as (
    select
        advice.namespace,
        advice.workload_kind,
        advice.workload,
        advice.container,
        advice.resource,
        any_value(advice.current_request) as current_request
    from advice
    inner join ends
        on advice.date = ends.last_date
    where advice.cluster = $cluster
        and advice.action = 'request'
    group by advice.namespace, advice.workload_kind, advice.workload, advice.container, advice.resource
)

select
    advised.namespace,
    advised.workload_kind,
    advised.workload,
    advised.container,
    advised.resource,
    advised.team,
    advised.currency,
    case
        when present.workload is null then 'gone'
        when
            (advised.current_request - present.current_request)
            / (advised.current_request - advised.proposed_request) >= 0.9 then 'taken'
        else 'open'
    end as state,
    advised.current_request as first_request,
    advised.proposed_request,
    present.current_request as last_request,
    advised.monthly_saving_gross
from advised
left join present
    on advised.namespace = present.namespace
    and advised.workload_kind = present.workload_kind
    and advised.workload = present.workload
    and advised.container = present.container
    and advised.resource = present.resource
order by
    coalesce(advised.monthly_saving_gross, 0) desc,
    advised.namespace,
    advised.workload_kind,
    advised.workload,
    advised.container,
    advised.resource
