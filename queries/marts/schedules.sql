/* Workloads that could be scaled down when nobody works, those that save most first.
grain: namespace, workload_kind, workload
inputs: advice
params: cluster, day
units: weekly_hours_down of 168; money a month in currency, null when no price is known
down says the hours by the clock of timezone. Other requests save some of the same: it is not among the savings.
*/
select
    team,
    namespace,
    workload_kind,
    workload,
    replicas,
    facts['down'] as down,
    facts['timezone'] as timezone,
    cast(facts['weekly_hours_down'] as integer) as weekly_hours_down,
    evidence_days,
    coverage,
    currency,
    monthly_cost,
    cast(facts['monthly_saving'] as decimal(18, 6)) as monthly_saving
from advice
where cluster = $cluster
    and date = cast($day as date)
    and action = 'schedule'
    and reason = 'advised'
order by monthly_saving desc nulls last, namespace, workload_kind, workload
