/* What an imported bill charges, line by line, and the node that each line is for.
grain: cluster, date, line of `bills`, node (null: no node of the day)
inputs: bills, nodes
params: none
units: cost in currency, shares of a line add up to it
A line is a node's when its resource id, the id's last part or the resource's name is the node's provider id, the last
part of that, the scale set of that, or the node's name. A line of several nodes is shared by their time. Usage,
purchases and adjustments are what a node costs; tax and credits are no node's. `covered` is the time of the day that
the account's bill is over; a node that is there at another time only is outside it.
*/
with lines as (
    select
        row_number() over (
            partition by cluster, date
            order by
                billing_account,
                billing_start,
                resource_id,
                resource_name,
                service,
                category,
                charge_class,
                start,
                "end",
                cost
        ) as line,
        cluster,
        date,
        billing_account,
        billing_start,
        resource_id,
        resource_name,
        service,
        category,
        charge_class,
        start,
        "end",
        cost,
        cost_kind,
        currency,
        file,
        -- gce://p/z/n and //compute.googleapis.com/projects/p become paths
        regexp_replace(lower(resource_id), '^([a-z0-9-]+:)?/+', '') as path
    from bills
),

machines as (
    select
        cluster,
        date,
        node,
        coalesce(provider_id, '') as provider_id,
        regexp_replace(lower(coalesce(provider_id, '')), '^([a-z0-9-]+:)?/+', '') as path
    from nodes
    group by all
),

-- Azure numbers the machines of a scale set, and bills the set: a bare number names nothing.
machine_keys as (
    select
        cluster,
        date,
        node,
        provider_id,
        unnest(list_distinct([
            nullif(path, ''),
            nullif(regexp_replace(regexp_extract(path, '[^/:]+$'), '^[0-9]+$', ''), ''),
            if(contains(path, '/virtualmachines/'), regexp_replace(path, '/virtualmachines/[^/]+$', ''), null),
            lower(node)
        ])) as name
    from machines
),

line_keys as (
    select
        cluster,
        date,
        line,
        billing_account,
        unnest(list_distinct([
            nullif(path, ''),
            nullif(regexp_replace(regexp_extract(path, '[^/:]+$'), '^[0-9]+$', ''), ''),
            lower(resource_name)
        ])) as name
    from lines
    where category in ('Usage', 'Purchase', 'Adjustment')
),

covered as (
    select
        cluster,
        date,
        billing_account,
        min(start) as covered_start,
        max("end") as covered_end
    from bills
    where category = 'Usage'
        and charge_class is null
    group by cluster, date, billing_account
),

lives as (
    select
        nodes.cluster,
        nodes.date,
        nodes.node,
        coalesce(nodes.provider_id, '') as provider_id,
        covered.billing_account,
        covered.covered_start,
        covered.covered_end,
        cast(sum(
            epoch_ms(least(nodes."end", covered.covered_end)) - epoch_ms(greatest(nodes.start, covered.covered_start))
        ) as hugeint) as billed_ms
    from nodes
    inner join covered
        on nodes.cluster = covered.cluster
        and nodes.date = covered.date
        and nodes.start < covered.covered_end
        and nodes."end" > covered.covered_start
    group by all
),

-- by any of its names; distinct before the next join, which would else be the first: every line with every node
named as (
    select distinct
        line_keys.cluster,
        line_keys.date,
        line_keys.line,
        line_keys.billing_account,
        machine_keys.node,
        machine_keys.provider_id
    from line_keys
    inner join machine_keys
        on line_keys.cluster = machine_keys.cluster
        and line_keys.date = machine_keys.date
        and line_keys.name = machine_keys.name
),

matched as (
    select
        named.cluster,
        named.date,
        named.line,
        lives.node,
        lives.provider_id,
        lives.covered_start,
        lives.covered_end,
        lives.billed_ms
    from named
    inner join lives
        on named.cluster = lives.cluster
        and named.date = lives.date
        and named.node = lives.node
        and named.provider_id = lives.provider_id
        and named.billing_account = lives.billing_account
),

-- of one another day: a node of the cluster, which was not there when it was billed
elsewhere as (
    select distinct
        line_keys.cluster,
        line_keys.date,
        line_keys.line
    from line_keys
    inner join machine_keys
        on line_keys.cluster = machine_keys.cluster
        and line_keys.name = machine_keys.name
),

shared as (
    select
        cluster,
        date,
        line,
        node,
        provider_id,
        covered_start,
        covered_end,
        billed_ms,
        sum(billed_ms) over (
            partition by cluster, date, line
            order by node, provider_id
            rows unbounded preceding
        ) as until_ms,
        sum(billed_ms) over (partition by cluster, date, line) as total_ms
    from matched
)

select
    lines.cluster,
    lines.date,
    lines.billing_account,
    lines.billing_start,
    lines.resource_id,
    lines.resource_name,
    lines.service,
    lines.category,
    lines.charge_class,
    lines.start,
    lines."end",
    shared.node,
    shared.provider_id,
    shared.covered_start,
    shared.covered_end,
    case
        when shared.node is not null then 'node'
        when lines.category = 'Tax' then 'tax'
        when lines.category = 'Credit' then 'credit'
        when elsewhere.line is not null then 'outside life'
        else 'no node'
    end as status,
    -- in micro-units, by the difference of what is due until one node and until the next: the shares add up
    cast(
        if(
            shared.node is null,
            lines.cost,
            cast(
                cast(lines.cost * 1000000 as hugeint) * shared.until_ms // shared.total_ms
                - cast(lines.cost * 1000000 as hugeint) * (shared.until_ms - shared.billed_ms) // shared.total_ms
                as decimal(18, 0)
            ) / 1000000
        ) as decimal(18, 6)
    ) as cost,
    lines.cost_kind,
    lines.currency,
    lines.file
from lines
left join shared
    on lines.cluster = shared.cluster
    and lines.date = shared.date
    and lines.line = shared.line
left join elsewhere
    on lines.cluster = elsewhere.cluster
    and lines.date = elsewhere.date
    and lines.line = elsewhere.line
order by lines.cluster, lines.date, lines.line, shared.node, shared.provider_id
