/* The keys of ResourceQuotas with what they should allow, as the night left them: those that run out first, first.
grain: namespace, resource
inputs: quota_advice
params: cluster, day
units: hard_now, used_*, expected_peak and suggested_* in cores, bytes or pieces; used_ratio = used_p99 / hard_now
Keys that no quota has come last.
*/
select
    cluster,
    namespace,
    resource,
    quotas,
    spelled,
    hard_now,
    used_now,
    used_p99,
    used_peak,
    used_p99 / nullif(hard_now, 0) as used_ratio,
    expected_peak,
    suggested_hard,
    suggested_after,
    exhausted_on,
    exhausted_earliest,
    reason,
    evidence_days
from quota_advice
where cluster = $cluster
    and date = cast($day as date)
order by
    hard_now is null,
    reason <> 'exhausted',
    exhausted_on nulls last,
    exhausted_earliest nulls last,
    used_p99 / nullif(hard_now, 0) desc nulls last,
    namespace,
    resource
