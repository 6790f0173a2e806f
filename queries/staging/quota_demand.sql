/* What each namespace asked for in every hour, by the keys that a ResourceQuota has.
grain: cluster, date, namespace, key, hour
inputs: demand
params: none
units: peak in cores, bytes or pieces, the most in the hour
An hour without a row is one in which nothing was asked for. Accelerators that only their sum is known of are left out.
*/
select
    cluster,
    date,
    namespace,
    case
        when resource in ('pods', 'persistentvolumeclaims') then resource
        when suffix(resource, '.storageclass.storage.k8s.io/storage')
            then regexp_replace(resource, '/storage$', '/requests.storage')
        else 'requests.' || resource
    end as key,
    hour,
    requests_max as peak
from demand
where not contains(resource, ',')
union all
select
    cluster,
    date,
    namespace,
    'limits.' || resource as key,
    hour,
    limits_max as peak
from demand
where limits_max is not null
order by cluster, date, namespace, key, hour
