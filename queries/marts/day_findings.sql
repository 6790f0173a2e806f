/* What a person should know about the day, the gravest first.
grain: rule, subject
inputs: findings, charges
params: cluster, day
units: amount in currency, null where no money is concerned
*/
select
    findings.severity,
    findings.rule,
    findings.subject,
    findings.message,
    findings.amount,
    (
        select min(charges.currency)
        from charges
        where charges.cluster = $cluster
            and charges.date = cast($day as date)
    ) as currency
from findings
where findings.cluster = $cluster
    and findings.date = cast($day as date)
order by
    case findings.severity when 'error' then 0 when 'warning' then 1 else 2 end,
    coalesce(findings.amount, 0) desc,
    findings.rule,
    findings.subject,
    findings.message
