/* Suggested quotas that would keep out what is there now, or that are no whole number of cores, GiB or pieces.
grain: a guilty row
inputs: quota_advice
params: none
units: cores, bytes or pieces
A suggestion that is the present limit is as that is.
*/
select
    cluster,
    date,
    namespace,
    resource,
    used_now,
    hard_now,
    suggested_hard
from quota_advice
where suggested_hard < used_now
    or isnan(suggested_hard)
    or suggested_hard <= 0
    or (
        suggested_hard is distinct from hard_now
        and suggested_hard
        % if(regexp_matches(resource, '(memory|storage)$|hugepages-'), 1073741824.0, 1.0) <> 0
    )
order by cluster, date, namespace, resource
