/* Since when the advice of a day has stood without a break, and what was paid meanwhile that it would have saved.
grain: namespace, workload_kind, workload, container, resource, action
inputs: advice
params: cluster, day, days
units: open_days are calendar days, the first and $day among them; lost_cost in currency
Days without any advice break nothing and add nothing: nobody looked. At most $days days are looked at. What a day loses
is 24 of the 730 hours of its month's saving, gross; raises lose nothing. lost_cost is null when no price is known, or
the currency changed.
*/
with advised as (
    select
        namespace,
        workload_kind,
        workload,
        container,
        resource,
        action,
        date,
        currency,
        monthly_saving_gross
    from advice
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
        and (proposed_request is not null or monthly_saving_gross is not null)
),

looked as (
    select
        date,
        row_number() over (order by date desc) as place
    from advice
    where cluster = $cluster
        and date > cast($day as date) - cast($days as integer)
        and date <= cast($day as date)
    group by date
),

numbered as (
    select
        advised.namespace,
        advised.workload_kind,
        advised.workload,
        advised.container,
        advised.resource,
        advised.action,
        advised.date,
        advised.currency,
        advised.monthly_saving_gross,
        looked.place,
        row_number() over (
            partition by
                advised.namespace,
                advised.workload_kind,
                advised.workload,
                advised.container,
                advised.resource,
                advised.action
            order by advised.date desc
        ) as times
    from advised
    inner join looked
        on advised.date = looked.date
)

select
    namespace,
    workload_kind,
    workload,
    container,
    resource,
    action,
    min(date) as first_date,
    cast(cast($day as date) - min(date) + 1 as integer) as open_days,
    cast(
        if(count(distinct currency) > 1, null, sum(greatest(monthly_saving_gross, 0)) * 24 / 730) as decimal(18, 6)
    ) as lost_cost
from numbered
where place = times
group by namespace, workload_kind, workload, container, resource, action
having max(date) = cast($day as date)
order by namespace, workload_kind, workload, container, resource, action
