/* What each subject cost on each complete day, and the whole cluster on each: the last row of a day, whose key is null.
grain: cluster, date and key
inputs: runs, charges
params: start, until, by, cluster, namespace, team
units: total_cost in currency; of a cluster whose day nothing is known of, null
$until is exclusive. $by: team, namespace or workload; key holds the columns that tell it apart, in that order:
namespace, workload_kind and workload of a workload. What is nobody's is named (idle), (system) and (fee). $cluster,
$namespace and $team filter the subjects; '' is all. A subject has no row on a day on which it owed nothing.
*/
with days as (
    select
        cluster,
        date
    from runs
    where status = 'complete'
        and date >= cast($start as date)
        and date < cast($until as date)
        and $cluster in ('', cluster)
),

-- by what may tell subjects apart alone: a day has a hundred times as many charges
owed as (
    select
        cluster,
        date,
        kind,
        team,
        if($namespace = '' and $by = 'team', null, namespace) as namespace,
        if($by = 'workload', workload_kind, null) as workload_kind,
        if($by = 'workload', workload, null) as workload,
        min(currency) as currency,
        sum(cost) as cost
    from charges
    semi join days
        on charges.cluster = days.cluster
        and charges.date = days.date
    -- the same dates as constants: only their charges are then read
    where date >= cast($start as date)
        and date < cast($until as date)
    group by all
),

named as (
    select
        if(kind in ('idle', 'system', 'fee'), '(' || kind || ')', '(none)') as nobody,
        cluster,
        date,
        coalesce(team, nobody) as team,
        coalesce(namespace, nobody) as namespace,
        coalesce(workload_kind, nobody) as workload_kind,
        coalesce(workload, nobody) as workload,
        currency,
        cost
    from owed
),

subjects as (
    select
        cluster,
        date,
        case $by
            when 'team' then list_value(team)
            when 'namespace' then list_value(namespace)
            when 'workload' then list_value(namespace, workload_kind, workload)
        end as key,
        currency,
        cost
    from named
    where $namespace in ('', namespace)
        and $team in ('', team)
),

costs as (
    select
        cluster,
        date,
        key,
        min(currency) as currency,
        sum(cost) as cost
    from subjects
    group by cluster, date, key
    union all
    select
        days.cluster,
        days.date,
        null,
        min(named.currency),
        sum(named.cost)
    from days
    left join named
        on days.cluster = named.cluster
        and days.date = named.date
    group by days.cluster, days.date
)

select
    cluster,
    date,
    key,
    currency,
    cast(cost as decimal(18, 6)) as total_cost
from costs
order by cluster, date, key nulls last
