/* What each of a dimension's values cost on each day from its first charge in the window on, up to the lake's last day.
grain: subject, date
inputs: runs, charges
params: start, until, by, cluster, namespace, team
units: cost in currency; unpriced_charges is a count
$until is exclusive. $by: team, namespace, pipeline, cluster or total. $cluster, $namespace and $team filter; '' is all.
known: each cluster that was there has a complete day. A cluster is taken to be there up to a week after its last day:
then it was given up, and before, a night has failed. cost is what was charged, known or not; it is null when the lake
has no such day, or no price.
*/
with spans as (
    select
        cluster,
        min(date) as first_date,
        max(date) as last_date
    from runs
    where date < cast($until as date)
        and ($cluster = '' or cluster = $cluster)
    group by cluster
),

calendar as (
    select
        cast(unnest(generate_series(
            cast($start as timestamp), cast(max(last_date) as timestamp), interval 1 day
        )) as date) as date
    from spans
),

held as (
    select
        calendar.date,
        count(spans.cluster) as expected_clusters,
        count(runs.cluster) as held_clusters,
        count(runs.cluster) filter (where runs.status = 'complete') as complete_clusters
    from calendar
    left join spans
        on spans.first_date <= calendar.date
        and spans.last_date + 7 >= calendar.date
    left join runs
        on spans.cluster = runs.cluster
        and calendar.date = runs.date
        and runs.date >= cast($start as date)
        and runs.date < cast($until as date)
    group by calendar.date
),

named as (
    select
        date,
        currency,
        cost,
        if(kind in ('idle', 'system', 'fee'), '(' || kind || ')', '(none)') as nobody,
        case $by
            when 'team' then coalesce(team, nobody)
            when 'namespace' then coalesce(namespace, nobody)
            when 'pipeline' then coalesce(pipeline, nobody)
            when 'cluster' then cluster
            else '(total)'
        end as subject
    from charges
    where date >= cast($start as date)
        and date < cast($until as date)
        and ($cluster = '' or cluster = $cluster)
        and ($namespace = '' or namespace = $namespace)
        and ($team = '' or team = $team)
),

owed as (
    select
        subject,
        date,
        min(currency) as currency,
        sum(cost) as cost,
        count(*) - count(cost) as unpriced_charges
    from named
    group by subject, date
),

subjects as (
    select
        subject,
        min(date) as first_date,
        min(currency) as currency
    from owed
    group by subject
)

select
    subjects.subject,
    held.date,
    subjects.currency,
    held.expected_clusters > 0 and held.complete_clusters = held.expected_clusters as known,
    cast(if(owed.date is null, if(held.held_clusters > 0, 0, null), owed.cost) as decimal(18, 6)) as cost,
    coalesce(owed.unpriced_charges, 0) as unpriced_charges
from subjects
inner join held
    on held.date >= subjects.first_date
left join owed
    on subjects.subject = owed.subject
    and held.date = owed.date
order by subjects.subject, held.date
