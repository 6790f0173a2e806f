/* Coverages and busy ratios outside 0 to 1; a coverage may not be NaN, a busy ratio may (never observed).
grain: a guilty row; what names its table
inputs: charges, gpus, energy, runs
params: none
units: ratio
*/
with ratios as (
    select
        'charges' as what,
        cluster,
        date,
        concat_ws(' ', kind, resource, node, namespace, pod, container, item) as subject,
        coverage as ratio
    from charges
    where coverage is not null
    union all
    select
        'gpus',
        cluster,
        date,
        concat_ws(' ', node, uuid, mig_profile),
        busy
    from gpus,
        -- the alias names the column
        lateral (values (busy_mean), (busy_p95), (busy_max)) as ratios (busy) -- noqa: AL05
    where not isnan(busy)
    union all
    select
        'energy',
        cluster,
        date,
        concat_ws(' ', source, node, namespace, pod, container),
        coverage
    from energy
    where coverage is not null
    union all
    select
        'runs',
        cluster,
        date,
        status,
        coverage
    from runs
)

select
    what,
    cluster,
    date,
    subject,
    ratio
from ratios
where ratio < 0
    or ratio > 1
    or isnan(ratio)
order by what, cluster, date, subject, ratio
