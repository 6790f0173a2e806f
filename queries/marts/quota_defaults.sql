/* What containers without a request would have to be given on a day, where a quota of requests is to be made.
grain: namespace, resource
inputs: quota_lacking
params: cluster, day
units: containers_max: most of them in an hour; default_request in cores or bytes, null where none was observed
*/
select
    namespace,
    key as resource,
    containers_max,
    default_request
from quota_lacking
where cluster = $cluster
    and date = cast($day as date)
order by namespace, resource
