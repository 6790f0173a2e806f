/* Claims whose charges do not add up to what their volumes cost.
grain: cluster, date, namespace, claim
inputs: charges, volumes
params: none
units: currency
A claim of which any part has no price or no size has no total to add up to.
*/
with paid as (
    select
        cluster,
        date,
        namespace,
        claim,
        if(count(*) = count(cost), sum(cost), null) as total_cost
    from volumes
    group by cluster, date, namespace, claim
),

charged as (
    select
        cluster,
        date,
        namespace,
        item as claim,
        sum(cost) as charged_cost,
        count(*) filter (where cost is null) as unpriced_charges
    from charges
    where kind = 'volume'
    group by cluster, date, namespace, item
)

select
    coalesce(paid.cluster, charged.cluster) as cluster,
    coalesce(paid.date, charged.date) as date,
    coalesce(paid.namespace, charged.namespace) as namespace,
    coalesce(paid.claim, charged.claim) as claim,
    cast(paid.total_cost as decimal(18, 6)) as total_cost,
    cast(charged.charged_cost as decimal(18, 6)) as charged_cost,
    coalesce(charged.unpriced_charges, 0) as unpriced_charges
from paid
full outer join charged
    on paid.cluster = charged.cluster
    and paid.date = charged.date
    and paid.namespace = charged.namespace
    and paid.claim = charged.claim
where paid.total_cost is distinct from charged.charged_cost
    or (paid.total_cost is not null and charged.unpriced_charges > 0)
order by cluster, date, namespace, claim
