/* What the ResourceQuotas of a namespace allow of a key on each day: the least that one of them does.
grain: cluster, date, namespace, key
inputs: quotas
params: none
units: hard and used_max in cores, bytes or pieces; used_max null where it was not observed
A plain cpu or memory is a request of it, as Kubernetes takes it. quotas: the names of those that have the key; spelled:
as each of them writes it.
*/
select
    cluster,
    date,
    namespace,
    case
        when resource in ('cpu', 'memory') then 'requests.' || resource
        when resource = 'count/persistentvolumeclaims' then 'persistentvolumeclaims'
        else resource
    end as key,
    min(hard) as hard,
    max(if(isnan(used_max), null, used_max)) as used_max,
    list(quota order by quota, resource) as quotas,
    list(resource order by quota, resource) as spelled
from quotas
group by cluster, date, namespace, key
order by cluster, date, namespace, key
