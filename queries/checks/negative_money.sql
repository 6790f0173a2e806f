/* Charges and nodes with money below zero; idle and system may be, where allocatable exceeds capacity: a finding.
grain: a guilty row; what names its table
inputs: charges, nodes
params: none
units: currency
*/
with guilty as (
    select
        'charges' as what,
        cluster,
        date,
        node,
        concat_ws(' ', kind, resource, namespace, pod, container, item) as subject,
        least(cost, cost_used, cost_unused, cost_unobserved) as amount
    from charges
    where kind not in ('idle', 'system')
    union all
    select
        'nodes',
        cluster,
        date,
        node,
        cast(start as text),
        least(cpu_cost, memory_cost, gpu_cost)
    from nodes
)

select
    what,
    cluster,
    date,
    node,
    subject,
    amount
from guilty
where amount < 0
order by what, cluster, date, node, subject, amount
