/* The changes worth making that are advised on a day, those that save most first, raises beside cuts.
grain: namespace, workload_kind, workload, container, resource, action
inputs: advice
params: cluster, day
units: requests and limits in cores, bytes or pieces; money a month in currency, below 0 where it costs more; rates are
shares of days
mig_profile is the slice that is enough, null where the action is another.
*/
select
    cluster,
    team,
    namespace,
    workload_kind,
    workload,
    class,
    container,
    resource,
    action,
    replicas,
    current_request,
    proposed_request,
    current_limit,
    proposed_limit,
    reason,
    evidence,
    policy,
    evidence_days,
    coverage,
    violation_rate,
    promised_rate,
    currency,
    monthly_cost,
    monthly_saving_gross,
    monthly_saving_net,
    facts['mig_profile'] as mig_profile
from advice
where cluster = $cluster
    and date = cast($day as date)
    and (proposed_request is not null or monthly_saving_gross is not null)
order by
    monthly_saving_gross desc nulls last,
    namespace,
    workload_kind,
    workload,
    container,
    resource,
    action
