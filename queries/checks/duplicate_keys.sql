/* Keys that occur more than once in a table where they may not.
grain: a guilty key; what names its table
inputs: charges, containers, profiles, nodes, gpus, energy, findings, runs
params: none
units: none
*/
with keys as (
    select
        'charges' as what,
        cluster,
        date,
        to_json([kind, resource, node, namespace, pod, pod_uid, container, item]) as key
    from charges
    union all
    select 'containers', cluster, date, to_json([cast(container_key as text), cast(start as text)]) from containers
    union all
    select 'profiles', cluster, date, to_json([cast(container_key as text), resource]) from profiles
    union all
    select 'nodes', cluster, date, to_json([node, cast(start as text)]) from nodes
    union all
    select 'gpus', cluster, date, to_json([cast(gpu_key as text)]) from gpus
    union all
    select
        'energy',
        cluster,
        date,
        to_json([source, node, namespace, pod, pod_uid, container])
    from energy
    union all
    select 'findings', cluster, date, to_json([rule, subject]) from findings
    union all
    select 'runs', cluster, date, to_json([]) from runs
)

select
    what,
    cluster,
    date,
    key,
    count(*) as times
from keys
group by what, cluster, date, key
having count(*) > 1
order by what, cluster, date, key
