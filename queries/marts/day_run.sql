/* How the day was measured: source, completeness, versions and hashes.
grain: cluster, date (at most one row)
inputs: runs
params: cluster, day
units: coverage is a ratio; samples are counted
*/
select
    cluster,
    date,
    status,
    coverage,
    samples,
    source,
    engine,
    warnings,
    costlab_version,
    config_hash,
    prices_hash,
    forced
from runs
where cluster = $cluster
    and date = cast($day as date)
order by cluster, date
